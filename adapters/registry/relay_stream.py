"""A stream of a blob from several places."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO

from img.application.ports.registry import RegistryError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class RelayStream(io.RawIOBase):
    """The bytes of ``stream`` and, after a final failure, the remaining ones of other places.

    ``others`` open the blob from an offset on, each at another place, and raise RegistryError.
    """

    def __init__(
        self, stream: BinaryIO, offset: int, others: Sequence[Callable[[int], BinaryIO]]
    ) -> None:
        self._stream = stream
        self._offset = offset
        self._others = list(others)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        while True:
            try:
                data = self._stream.read(len(view))
                break
            except RegistryError as error:
                self._go_on(error)
        view[: len(data)] = data
        self._offset += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()

    def _go_on(self, failure: RegistryError) -> None:
        """Open the blob at the next place; raise ``failure`` if there is none left that has it."""
        while self._others:
            reopen = self._others.pop(0)
            try:
                stream = reopen(self._offset)
            except RegistryError:
                continue
            self._stream.close()
            self._stream = stream
            return
        raise failure
