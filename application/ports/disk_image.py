"""Files that hold a whole file system."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import BinaryIO, Protocol

from img.application.ports.layer_archive import PackedEntry
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.platform import Platform


class NotInDiskImage(ImgError):
    """A file that the format cannot hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskImageForm:
    """The choices for a disk image besides its files."""

    platform: Platform  # of its programs
    compression: str = "gzip"  # or zstd
    epoch: int = 0  # seconds; the time of the image itself


class DiskImage(Protocol):
    """A format of file systems in files."""

    @abstractmethod
    def write(self, entries: Iterable[PackedEntry], output: BinaryIO, form: DiskImageForm) -> None:
        """Write ``entries`` as a file system to ``output``, which may be a pipe and is not closed.

        Entries come sorted, parents before their files, a file before its hard links. Owners,
        modes and devices are kept, mtimes to seconds. Deterministic: the same entries give the
        same bytes. Raises NotInDiskImage, StoreFull; errors of ``output`` are raised unchanged.
        """
