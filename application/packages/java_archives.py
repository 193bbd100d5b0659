"""The records in Java archives, which may hold further archives (Spring Boot, wars)."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.packages.java import is_archive, is_record
from img.domain.packages.rpm import BadDatabase

_MOST_DEPTH = 3
_MOST_RECORD = 1 << 20  # bytes of a manifest or a file of properties
_MOST_RECORDS = 16 << 20  # bytes of those of one archive
_MOST_NESTED = 128 << 20  # bytes of an archive in an archive
_MOST_IN_ALL = 1 << 30  # bytes that are decompressed for one file
_MOST_MEMBERS = 200_000
_DIRECTORY_ENTRY = b"PK\1\2"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # java.util.jar has no others
_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass(slots=True, kw_only=True)
class JavaRecords:
    """A reader of one archive of an image.

    ``refuse`` takes the place of an archive in the archive that is not read, and the reason.
    """

    refuse: Callable[[str, str], object]
    _left: int = field(default=_MOST_IN_ALL)  # bytes

    def __call__(
        self, data: bytes, path: str, depth: int = 0
    ) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        """Yield (place, records by name) of an archive and its inner ones, "outer!lib/inner.jar".

        Raises BadDatabase for what is no archive.
        """
        # Counted before the directory is parsed, which takes 700 bytes for each file.
        if data.count(_DIRECTORY_ENTRY) > 2 * _MOST_MEMBERS:
            raise BadDatabase(f"more than {_MOST_MEMBERS:,} files in an archive")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [each for each in archive.infolist() if each.compress_type in _METHODS]
                yield path, self._records(archive, members)
                for member in members if depth < _MOST_DEPTH else ():
                    if not is_archive(member.filename):
                        continue
                    place = f"{path}!{member.filename}"
                    if self._takes(member, _MOST_NESTED):
                        yield from self._inner(archive.read(member), place, depth + 1)
                    else:
                        self.refuse(place, f"it is larger than {_MOST_NESTED >> 20} MiB")
        except BadDatabase:
            raise
        except _FAULTS as error:
            raise BadDatabase(f"no archive of Java: {error}") from None

    def _inner(
        self, data: bytes, path: str, depth: int
    ) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        try:
            yield from self(data, path, depth)
        except BadDatabase as error:
            self.refuse(path, str(error))

    def _records(
        self, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]
    ) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        size = 0
        for member in members:
            if is_record(member.filename) and self._takes(member, _MOST_RECORD):
                size += member.file_size
                if size > _MOST_RECORDS:
                    raise BadDatabase(f"more than {_MOST_RECORDS >> 20} MiB of records")
                found[member.filename] = archive.read(member)
        return found

    def _takes(self, member: zipfile.ZipInfo, most: int) -> bool:
        """Return whether a member is read. Raises BadDatabase if too much has been."""
        if member.file_size > most:
            return False
        self._left -= member.file_size
        if self._left < 0:
            raise BadDatabase(f"more than {_MOST_IN_ALL >> 20} MiB of archives in an archive")
        return True
