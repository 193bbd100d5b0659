"""Files and directories for the results of a command."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from img.domain.errors import ImgError


class OutputNotWritten(ImgError):
    """Writing a result failed: a closed pipe, a full disk, a directory without permission."""


class OutputFiles(Protocol):
    """Results by path; a path changes only when its result is complete.

    Temporary files of a killed process are deleted by the next one with the same path.
    """

    @abstractmethod
    def check_file(self, path: str) -> None:
        """Check whether ``file`` can be written, without changing anything.

        Raises OutputNotWritten.
        """

    @abstractmethod
    def check_directory(self, path: str) -> None:
        """Check whether ``directory`` can be written, without changing anything.

        Raises OutputNotWritten.
        """

    @abstractmethod
    def file(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Enter with a file to write, which is moved to ``path`` on leaving without an error.

        "-" is standard output; it, devices and pipes are written directly and not closed. Raises
        OutputNotWritten, also for OSErrors from inside.
        """

    @abstractmethod
    def directory(
        self, path: str, *, delete: bool = False, same_kinds: bool = False
    ) -> AbstractContextManager[str]:
        """Enter with an empty directory, and move its files to ``path`` if no error is raised.

        The directory ``path`` is created if missing. Files with the same names are replaced,
        directories are merged, and no link is followed. With ``delete`` all other files in
        ``path`` are deleted. With ``same_kinds`` a directory replaces no other file and no other
        file replaces a directory: nothing is moved then. Raises OutputNotWritten,
        also for OSErrors from inside.
        """
