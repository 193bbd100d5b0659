"""Sending a blob: POST for a place, then PUT all of it (distribution-spec, "Pushing Blobs")."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin, urlsplit, urlunsplit

from img.adapters.registry.addresses import checked
from img.adapters.registry.ask import writing
from img.adapters.registry.failures import limited_body
from img.application.ports.registry import RegistryError
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    import requests

    from img.adapters.registry.connection import Connection


def upload(
    connection: "Connection", reference: ImageReference, blob: Descriptor, content: BinaryIO
) -> None:
    """Upload the blob in one try, from the start of ``content``. Raises RegistryError."""
    begin = writing("POST", reference, f"/v2/{reference.path}/blobs/uploads/", {})
    response = connection.send_once(begin)
    if response.status_code == 201:
        limited_body(response)
        return
    if response.status_code != 202:
        raise connection.refusal(response, begin)
    limited_body(response)
    place = _place(connection, response)
    separator = "&" if urlsplit(place).query else "?"
    content.seek(0)
    finish = writing(
        "PUT",
        reference,
        f"{place}{separator}digest={blob.digest}",
        {"Content-Type": "application/octet-stream"},
        # requests sends an empty stream in chunks, which not every registry takes.
        _Body(content, blob.size) if blob.size else b"",
    )
    response = connection.send_once(finish)
    if response.status_code == 404:
        limited_body(response)
        raise RegistryError(f"{finish.what}: the registry lost the upload", retryable=True)
    if response.status_code not in {200, 201, 202, 204}:
        raise connection.refusal(response, finish)
    limited_body(response)


def _place(connection: "Connection", response: "requests.Response") -> str:
    """Return the URL to upload to: Location may be relative, and have a query to keep."""
    location = response.headers.get("Location", "")
    if not location:
        raise RegistryError(f"registry {connection.host} gives no place to upload to")
    url = urlsplit(urljoin(response.url, location))
    if url.hostname == urlsplit(response.url).hostname and connection.scheme == "https":
        url = url._replace(scheme="https")  # a proxy that ends TLS hides it from the registry
    return checked(urlunsplit(url), host=connection.host, scheme=connection.scheme)


class _Body:
    """A stream of known length, as requests understands it: read, rewound, never held whole."""

    def __init__(self, content: BinaryIO, size: int) -> None:
        self._content = content
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(1 << 20), b"")

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)

    def tell(self) -> int:
        return self._content.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._content.seek(offset, whence)
