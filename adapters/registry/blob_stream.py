"""Streams of blobs over the network."""

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from img.adapters.linux.buffers import CHUNK
from img.adapters.registry.failures import unreachable
from img.adapters.registry.retry_policy import PROGRESS, RetryPolicy
from img.application.ports.registry import RegistryError
from img.domain.decimal_text import parse_count

if TYPE_CHECKING:
    import requests
    from _typeshed import WriteableBuffer


class BlobStream(io.RawIOBase):
    """The bytes of a blob from ``offset`` on; a broken connection is resumed at its position.

    ``reopen`` requests the blob from an offset on and returns the response, 206 or 200
    (distribution-spec, "Resumable Pull"; a registry may ignore Range); ``response`` is the first.
    """

    def __init__(
        self,
        response: "requests.Response",
        *,
        offset: int,
        size: int,
        name: str,
        host: str,
        reopen: Callable[[int], "requests.Response"],
        retries: RetryPolicy,
    ) -> None:
        self._response: requests.Response | None = response
        self._is_placed = False  # whether the next byte of the response is the byte at the offset
        self._offset = offset
        self._size = size
        self._name = name
        self._host = host
        self._reopen = reopen
        self._retries = retries
        self._failed_at = offset

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        while True:
            try:
                data = self._read(len(view))
            except Exception as error:
                if not _is_network(error):
                    raise
                self._fail(unreachable(error, self._host))
                continue
            if data or self._offset >= self._size or not len(view):
                return self._take(data, view)
            sent = f"{self._offset} of {self._size} bytes"
            text = f"registry {self._host} sent {sent} of {self._name}"
            self._fail(RegistryError(text, retryable=True))

    def close(self) -> None:
        if not self.closed:
            self._disconnect()
        super().close()

    def _read(self, size: int) -> bytes:
        if self._response is None:
            self._response = self._reopen(self._offset)
        if not self._is_placed:
            self._find_place(self._response)
            self._is_placed = True
        data: bytes = self._response.raw.read(size, decode_content=False)
        return data

    def _take(self, data: bytes, buffer: memoryview) -> int:
        buffer[: len(data)] = data
        self._offset += len(data)
        if self._offset > self._size:
            # A server that announces a kilobyte must not fill the disk.
            raise RegistryError(
                f"registry {self._host} sent more than the {self._size} bytes of {self._name}"
            )
        return len(data)

    def _fail(self, failure: RegistryError) -> None:
        """Prepare for a new connection; raise ``failure`` after too many failures."""
        self._disconnect()
        if self._offset - self._failed_at >= PROGRESS:
            self._retries.renew()
        self._failed_at = self._offset
        self._retries.wait_or_raise(failure)

    def _disconnect(self) -> None:
        response, self._response = self._response, None
        self._is_placed = False
        if response is not None:
            response.close()

    def _find_place(self, response: "requests.Response") -> None:
        """Read up to the offset. Raises RegistryError for a response without it."""
        if response.status_code == 206:
            start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            if start is None or parse_count(start[1]) != self._offset:
                raise RegistryError(f"registry {self._host} resumes at a wrong place")
            return
        left = self._offset
        self._retries.spend(left, f"download of {self._name}")
        while left and (data := response.raw.read(min(left, CHUNK), decode_content=False)):
            left -= len(data)


def _is_network(error: Exception) -> bool:
    from urllib3.exceptions import HTTPError

    return isinstance(error, (HTTPError, OSError))
