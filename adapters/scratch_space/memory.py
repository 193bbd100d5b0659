"""Bytes in memory."""

from io import BytesIO
from typing import BinaryIO

from img.application.ports.scratch_space import ScratchSpace


class MemoryScratchSpace(ScratchSpace):
    """A buffer each."""

    def new(self) -> BinaryIO:
        return BytesIO()
