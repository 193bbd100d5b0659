"""Reserved disk space, so that a full disk can be cleaned up."""

import contextlib
import os

from img.adapters.storage.own_files import PRIVATE_MODE, make_directories

_SIZE = 1 << 20  # bytes
_FILES = 16  # file systems and quotas may limit the number of files


class Reserve:
    """Files in ``directory/reserve`` that are deleted when cleaning up needs space.

    Deleting other data takes space for a log, a new index, a directory.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = os.path.join(directory, "reserve")

    def fill(self) -> None:
        """Create the reserved files that are missing, unless the disk is almost full."""
        with contextlib.suppress(OSError):
            if os.path.isdir(self._path):
                return
            if os.path.exists(self._path):
                os.unlink(self._path)  # older versions had one file
            make_directories(self._directory)
            if not self._is_free(2):  # less than that is not ours to keep
                return
            draft = f"{self._path}.{os.getpid()}"
            try:
                os.mkdir(draft, PRIVATE_MODE)
                with open(f"{draft}/0", "wb") as file:
                    # zeros take no space on file systems that compress
                    file.write(os.urandom(_SIZE))
                for number in range(1, _FILES):
                    open(f"{draft}/{number}", "wb").close()
                os.rename(draft, self._path)
            except OSError:
                import shutil  # slow to import

                shutil.rmtree(draft, ignore_errors=True)

    @property
    def needed(self) -> bool:
        """True if the disk is almost full, apart from the reserve."""
        with contextlib.suppress(OSError):
            return not self._is_free(1)
        return False

    def spend(self) -> bool:
        """Delete the reserve if the disk is almost full; tell whether it was."""
        if self.needed:
            import shutil

            shutil.rmtree(self._path, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            return True
        return False

    def _is_free(self, times: int) -> bool:
        facts = os.statvfs(self._directory)
        # btrfs creates inodes on demand, and reports none.
        enough_files = not facts.f_files or facts.f_favail > _FILES
        return enough_files and facts.f_bavail * facts.f_frsize >= times * _SIZE
