"""A blob that comes over the network."""

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from img.adapters.registry.failures import unreachable
from img.application.ports.registry import RegistryError

if TYPE_CHECKING:
    import requests

_TRIES = 3  # new connections without a byte of progress


class BlobStream(io.RawIOBase):
    """The bytes of a blob; a broken connection is taken up where it broke.

    ``reopen`` asks for the blob from an offset on and returns the answer, 206 or 200
    (distribution-spec, "Resumable Pull"; a registry may ignore Range).
    """

    def __init__(
        self,
        response: "requests.Response",
        *,
        size: int,
        name: str,
        host: str,
        reopen: Callable[[int], "requests.Response"],
    ) -> None:
        self._response = response
        self._size = size
        self._name = name
        self._host = host
        self._reopen = reopen
        self._offset = 0
        self._failures = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed: Buffer
        while len(buffer):
            try:
                data: bytes = self._response.raw.read(len(buffer), decode_content=False)
            except Exception as error:
                if not _is_network(error):
                    raise
                self._resume(unreachable(error, self._host))
                continue
            if not data and self._offset < self._size:
                sent = f"{self._offset} of {self._size} bytes"
                text = f"registry {self._host} sent {sent} of {self._name}"
                self._resume(RegistryError(text, retryable=True))
                continue
            return self._take(data, buffer)
        return 0

    def close(self) -> None:
        if not self.closed:
            self._response.close()
        super().close()

    def _take(self, data: bytes, buffer: memoryview) -> int:
        buffer[: len(data)] = data
        self._offset += len(data)
        if self._offset > self._size:
            # Who promises a kilobyte must not fill the disk.
            raise RegistryError(
                f"registry {self._host} sent more than the {self._size} bytes of {self._name}"
            )
        if data:
            self._failures = 0
        return len(data)

    def _resume(self, failure: RegistryError) -> None:
        """Continue on a new connection; raise ``failure`` if that does not help."""
        self._failures += 1
        if self._failures > _TRIES:
            raise failure
        self._response.close()
        try:
            self._response = self._reopen(self._offset)
        except RegistryError as error:
            # 416: for the registry the blob ends where it broke off.
            raise (error if error.retryable else failure) from None
        if self._response.status_code == 206:
            start = re.match(r"bytes (\d+)-", self._response.headers.get("Content-Range", ""))
            if start is None or int(start[1]) != self._offset:
                raise RegistryError(f"registry {self._host} resumes at a wrong place")
        else:
            self._skip(self._offset, failure)

    def _skip(self, count: int, failure: RegistryError) -> None:
        while count:
            try:
                data = self._response.raw.read(min(count, 1 << 20), decode_content=False)
            except Exception as error:
                if not _is_network(error):
                    raise
                raise unreachable(error, self._host) from error
            if not data:
                raise failure
            count -= len(data)


def _is_network(error: Exception) -> bool:
    from urllib3.exceptions import HTTPError

    return isinstance(error, (HTTPError, OSError))
