"""Referrers of an image: signatures, SBOMs (distribution-spec, "Listing Referrers").

In registries without this API clients maintain an index under a tag ("Referrers Tag Schema").
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from img.adapters.registry.manifests import get_manifest, put_manifest
from img.adapters.registry.pages import pages
from img.adapters.registry.request import reading
from img.application.ports.registry import ManifestUnknown
from img.domain.digest import Digest
from img.domain.json_text import InvalidJson, parse_json
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, decode_manifest, encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    from img.adapters.registry.connection import Connection

_WHAT = "referrers"
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]")


def referrers(
    connection: "Connection", reference: ImageReference, subject: Digest, artifact_type: str
) -> Iterator[Descriptor]:
    """Yield the referrers of ``subject``, of one type if one is given. Raises RegistryError."""
    query = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
    target = f"/v2/{reference.path}/referrers/{subject}{query}"
    request = reading("GET", reference, target, {"Accept": media_types.OCI_INDEX}, _WHAT)
    for page in pages(connection, request):
        index = (
            decode_index(page)
            if page is not None
            else _by_tag(connection, reference, subject, _WHAT)
        )
        # A registry need not filter (OCI-Filters-Applied tells whether it did), nor is a tag's
        # index filtered.
        yield from (
            found for found in index.manifests if artifact_type in ("", found.artifact_type)
        )


def add_to_referrers_tag(
    connection: "Connection", reference: ImageReference, content: bytes, media_type: str
) -> None:
    """Add a manifest with a subject to the index of its referrers. Raises RegistryError.

    Two clients at once may lose one entry: registries have no transactions.
    """
    document = _document(content, media_type)
    if document.subject is None:
        return
    known = _by_tag(connection, reference, document.subject.digest, "push")
    new = Descriptor(
        media_type=media_type,
        digest=Digest.of(content),
        size=len(content),
        annotations=document.annotations,
        artifact_type=document.artifact_type
        or (document.config.media_type if isinstance(document, Manifest) else ""),
    )
    if any(referrer.digest == new.digest for referrer in known.manifests):
        return
    index = replace(known, manifests=(*known.manifests, new))
    place = _place(reference, document.subject.digest)
    put_manifest(connection, place, encode_index(index), media_types.OCI_INDEX)


def has_subject(content: bytes) -> bool:
    """Tell whether a manifest or index refers to another."""
    try:
        document = parse_json(content)
    except InvalidJson:
        return False
    return isinstance(document, dict) and isinstance(document.get("subject"), dict)


def _document(content: bytes, media_type: str) -> Manifest | Index:
    is_index = media_type in media_types.INDEXES
    return decode_index(content) if is_index else decode_manifest(content)


def _by_tag(
    connection: "Connection", reference: ImageReference, subject: Digest, what: str
) -> Index:
    try:
        content, _ = get_manifest(connection, _place(reference, subject), what=what)
    except ManifestUnknown:
        return Index()
    return decode_index(content)


def _place(reference: ImageReference, subject: Digest) -> ImageReference:
    tag = f"{subject.algorithm[:32]}-{subject.encoded[:64]}"
    return reference.with_tag(_NOT_IN_TAGS.sub("-", tag))
