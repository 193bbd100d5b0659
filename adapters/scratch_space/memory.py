"""Temporary storage in memory."""

from io import BytesIO
from typing import BinaryIO

from img.application.ports.scratch_space import ScratchSpace


class MemoryScratchSpace(ScratchSpace):
    """A buffer for each request."""

    def new(self) -> BinaryIO:
        return BytesIO()
