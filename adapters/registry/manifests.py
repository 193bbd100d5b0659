"""Manifests and indexes over the network (distribution-spec, "Pulling manifests")."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from img.adapters.registry.failures import limited_body
from img.adapters.registry.request import manifest_path, reading, writing
from img.application.ports.registry import ManifestUnknown, RegistryError
from img.domain.decimal_text import parse_count
from img.domain.digest import Digest, InvalidDigest
from img.domain.json_text import MOST_BYTES, InvalidJson, parse_json
from img.domain.oci import media_types
from img.domain.oci.codec import media_type_of
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    import requests

    from img.adapters.registry.connection import Connection

LIMIT = MOST_BYTES
_TYPES = media_types.MANIFESTS | media_types.INDEXES
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"


def head_manifest(
    connection: "Connection", reference: ImageReference, what: str = "pull"
) -> Descriptor | None:
    """Return the descriptor from the headers of a manifest, None if they are incomplete.

    Not every registry implements HEAD well, and it has no error text. Raises RegistryError.
    """
    request = reading("HEAD", reference, manifest_path(reference), _accepting(""), what)
    response = connection.send(request)
    response.close()
    return _described(response)


def get_manifest(
    connection: "Connection",
    reference: ImageReference,
    media_type: str = "",
    what: str = "pull",
) -> tuple[bytes, str]:
    """Return content and media type of the manifest that ``reference`` names.

    If the registry sends a general type, or none, the type in the document is used.

    Raises ManifestUnknown, RegistryError.
    """
    request = reading("GET", reference, manifest_path(reference), _accepting(media_type), what)
    response, content = connection.document(request, LIMIT)
    if response.status_code == 404:
        response.close()
        raise ManifestUnknown(f"{reference}: not found")
    if response.status_code != 200:
        raise connection.refusal(response, request)
    served = _content_type(response)
    known = served in _TYPES or served.startswith(_SCHEMA_1)
    return content, served if known else media_type_of(content) or served


def put_manifest(
    connection: "Connection", reference: ImageReference, content: bytes, media_type: str
) -> Mapping[str, str]:
    """Store a manifest under the digest of ``reference``, or its tag; return the response headers.

    Raises RegistryError.
    """
    headers = {"Content-Type": media_type}
    request = writing("PUT", reference, manifest_path(reference), headers, content)
    response = connection.send(request)
    if response.status_code not in {200, 201, 202, 204}:
        raise connection.refusal(response, request)
    limited_body(response)
    return response.headers


def check_type(reference: ImageReference, media_type: str) -> None:
    """Raise RegistryError unless ``media_type`` is that of a manifest or index."""
    if media_type in _TYPES:
        return
    if media_type.startswith(_SCHEMA_1):
        raise RegistryError(
            f"{reference} is an image of Docker's schema 1, which nothing reads any more",
            hint="push it again with a current tool",
        )
    known = media_type or "a document that does not say of what kind it is"
    raise RegistryError(f"{reference.familiar} is no image but {known}")


def media_type_in(content: bytes) -> str:
    """Return the media type in a document, "" if there is none."""
    try:
        document = parse_json(content)
    except InvalidJson:
        return ""
    claimed = document.get("mediaType") if isinstance(document, dict) else None
    return claimed if isinstance(claimed, str) else ""


def digest_of(content: bytes, like: Digest | None) -> Digest:
    """Return the digest of ``content`` in the algorithm of ``like``. Raises UnsupportedDigest."""
    return like.of_same(content) if like else Digest.of(content)


def _accepting(media_type: str) -> Mapping[str, str]:
    """Return the Accept header for all supported manifests, and ``media_type``."""
    return {"Accept": ", ".join(sorted(_TYPES | ({media_type} - {""})))}


def _described(response: "requests.Response") -> Descriptor | None:
    media_type = _content_type(response)
    size = parse_count(response.headers.get("Content-Length", ""))
    if response.status_code != 200 or size is None:
        return None
    if media_type not in _TYPES and not media_type.startswith(_SCHEMA_1):
        return None
    try:
        digest = Digest.parse(response.headers.get("Docker-Content-Digest", ""))
    except InvalidDigest:
        return None
    return Descriptor(media_type=media_type, digest=digest, size=size)


def _content_type(response: "requests.Response") -> str:
    """Return the media type without its parameters."""
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
