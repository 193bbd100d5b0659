"""Files and directories that a user asked for."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from img.domain.errors import ImgError


class OutputNotWritten(ImgError):
    """A place that takes no output: a closed pipe, a full disk, a directory of somebody else."""


class OutputFiles(Protocol):
    """Places for results, by their paths; what is there changes when a result is whole.

    What a process that is killed leaves of a directory, the next one for the same place removes.
    """

    @abstractmethod
    def check_file(self, path: str) -> None:
        """Look whether ``file`` will be possible, as far as one can see; change nothing.

        Raises OutputNotWritten.
        """

    @abstractmethod
    def check_directory(self, path: str) -> None:
        """Look whether ``directory`` will be possible, or another directory to be filled there."""

    @abstractmethod
    def file(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Enter with a file to write, which is at ``path`` once it is left without an error.

        "-" is standard output, which sees everything at once and stays open, as do devices and
        pipes. Raises OutputNotWritten, also for OSErrors from inside.
        """

    @abstractmethod
    def directory(self, path: str, *, delete: bool = False) -> AbstractContextManager[str]:
        """Enter with an empty directory; what is in it when it is left without an error goes to
        the directory at ``path``, which is made if there is none.

        What stands there under the same names is replaced, but for directories, which are joined;
        no link there is followed. With ``delete`` all else there goes. Raises OutputNotWritten,
        also for OSErrors from inside.
        """
