"""Contract suite of readers of OCI image layouts."""

from dataclasses import dataclass

import pytest

from img.application.ports.image_layout import ImageLayouts, LayoutError
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.layout import REF_NAME


def manifest(content: bytes, name: str = "") -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_MANIFEST,
        digest=Digest.of(content),
        size=len(content),
        annotations={REF_NAME: name} if name else {},
    )


ONE, TWO = b'{"one": 1}', b'{"two": 2}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """A reader, and the paths of two layouts."""

    layouts: ImageLayouts
    named: str
    single: str
    nowhere: str


class ImageLayoutsContract:
    """Promises of every ImageLayouts.

    Fixtures: ``found``, a Layouts.
    """

    def test_an_image_is_found_by_its_tag_or_by_latest(self, found: Layouts) -> None:
        assert found.layouts.find(found.named, "v1", None)[0].digest == Digest.of(ONE)
        assert found.layouts.find(found.named, "", None)[0].digest == Digest.of(TWO)

    def test_an_image_is_found_by_its_digest(self, found: Layouts) -> None:
        assert found.layouts.find(found.named, "v1", Digest.of(TWO))[0].digest == Digest.of(TWO)

    def test_the_only_image_needs_no_name(self, found: Layouts) -> None:
        assert found.layouts.find(found.single, "", None)[0].digest == Digest.of(ONE)

    def test_an_image_that_is_not_there_is_named(self, found: Layouts) -> None:
        with pytest.raises(LayoutError, match="has no image nope"):
            found.layouts.find(found.named, "nope", None)
        with pytest.raises(LayoutError, match="has no image sha256:"):
            found.layouts.find(found.named, "", Digest.of(b"nope"))

    def test_all_entries_are_listed(self, found: Layouts) -> None:
        digests = [each.digest for each in found.layouts.entries(found.named)]
        assert digests == [Digest.of(ONE), Digest.of(TWO)]
        with pytest.raises(LayoutError):
            found.layouts.entries(found.nowhere)

    def test_blobs_can_be_read(self, found: Layouts) -> None:
        with found.layouts.open(found.named, manifest(ONE)) as content:
            assert content.read() == ONE
        with pytest.raises(LayoutError):
            found.layouts.open(found.named, manifest(b"nope"))

    def test_a_layout_that_is_not_there_is_named(self, found: Layouts) -> None:
        with pytest.raises(LayoutError, match="nowhere cannot be read: no such file"):
            found.layouts.find(found.nowhere, "", None)
