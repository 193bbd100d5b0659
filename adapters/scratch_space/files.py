"""Nameless files in the state directory."""

import errno
import os
from pathlib import Path
from typing import BinaryIO

from img.adapters.storage.own_files import make_directories
from img.application.ports.blob_store import StoreFull
from img.application.ports.scratch_space import ScratchSpace


class FileScratchSpace(ScratchSpace):
    """Files without a name (O_TMPFILE if supported), so none can be left over."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def new(self) -> BinaryIO:
        import tempfile  # only now: it is slow to import

        try:
            make_directories(os.fspath(self._directory))
            return tempfile.TemporaryFile(dir=self._directory)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreFull(f"no room left in {self._directory}") from None
            raise
