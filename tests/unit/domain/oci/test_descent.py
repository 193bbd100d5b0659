"""Indexes in indexes are followed within bounds."""

import pytest

from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, encode_index
from img.domain.oci.descent import MOST_DOCUMENTS, MOST_NESTED, descend, manifest_for
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.fields import InvalidDocument
from img.domain.oci.index import Index
from img.domain.platform import Platform

_HERE = Platform("linux", "amd64")
_MANIFEST = Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"{}"), size=2)


class Documents:
    """Indexes by their digest; counts how often one is read."""

    def __init__(self) -> None:
        self.contents: dict[Digest, bytes] = {_MANIFEST.digest: b"{}"}
        self.reads = 0

    def index(self, *entries: Descriptor) -> Descriptor:
        content = encode_index(Index(manifests=entries))
        digest = Digest.of(content)
        self.contents[digest] = content
        return Descriptor(media_type=media_types.OCI_INDEX, digest=digest, size=len(content))

    def nested(self, times: int) -> Descriptor:
        found = _MANIFEST
        for _ in range(times):
            found = self.index(found)
        return found

    def read(self, target: Descriptor) -> bytes:
        self.reads += 1
        return self.contents[target.digest]

    def entries(self, target: Descriptor) -> tuple[Descriptor, ...]:
        content = self.read(target)
        return () if target == _MANIFEST else decode_index(content).manifests


def test_a_few_are_followed() -> None:
    documents = Documents()
    top = documents.nested(MOST_NESTED)

    assert manifest_for(top, _HERE, documents.read) == (_MANIFEST, b"{}")
    assert len(list(descend(top, documents.entries))) == MOST_NESTED + 1


def test_two_thousand_are_not() -> None:
    documents = Documents()
    top = documents.nested(2000)

    with pytest.raises(InvalidDocument, match="more than 8 indexes in one another"):
        manifest_for(top, _HERE, documents.read)
    with pytest.raises(InvalidDocument, match="more than 8 indexes in one another"):
        list(descend(top, documents.entries))
    assert documents.reads <= 2 * (MOST_NESTED + 1)


def test_what_stands_in_many_places_is_visited_once() -> None:
    documents = Documents()
    top = documents.index(*[_MANIFEST] * 100)
    for _ in range(MOST_NESTED - 1):
        top = documents.index(*[top] * 100)

    found = list(descend(top, documents.entries))

    assert found[0] == _MANIFEST
    assert found[-1] == top
    assert len(found) == documents.reads == MOST_NESTED + 1


def test_below_one_name_there_are_not_endless_many() -> None:
    wide = [
        Descriptor(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"%d" % n), size=2)
        for n in range(MOST_DOCUMENTS)
    ]
    top = Documents().index(*wide)

    with pytest.raises(InvalidDocument, match="more than 1000 documents"):
        list(descend(top, lambda target: wide if target == top else ()))
