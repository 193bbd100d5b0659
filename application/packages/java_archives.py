"""The records in Java archives, which may hold further archives (Spring Boot, wars)."""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping

from img.domain.packages.java import is_archive, is_record
from img.domain.packages.rpm import BadDatabase

_MOST_DEPTH = 3
_MOST_RECORD = 1 << 20  # bytes of a manifest or a file of properties
_MOST_NESTED = 128 << 20  # bytes of an archive in an archive
_MOST_MEMBERS = 200_000
_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def java_records(
    data: bytes, path: str, depth: int = 0
) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    """Yield (place, records by name) of an archive and of those in it, "outer.war!lib/inner.jar".

    What is compressed beyond the limits is left out. Raises BadDatabase for what is no archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS:
                raise BadDatabase(f"more than {_MOST_MEMBERS} files in an archive")
            yield (
                path,
                {
                    member.filename: archive.read(member)
                    for member in members
                    if is_record(member.filename) and member.file_size <= _MOST_RECORD
                },
            )
            for member in members:
                inner = member.filename
                if is_archive(inner) and member.file_size <= _MOST_NESTED and depth < _MOST_DEPTH:
                    yield from java_records(archive.read(member), f"{path}!{inner}", depth + 1)
    except _FAULTS as error:
        if isinstance(error, BadDatabase):
            raise
        raise BadDatabase(f"no archive of Java: {error}") from None
