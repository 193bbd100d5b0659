"""rpm's own database format, ``Packages.db`` (rpm, lib/backend/ndb/rpmpkg.c)."""

from collections.abc import Iterator

from img.domain.packages.rpm import BadDatabase

_PAGE = 4096  # bytes
_SLOT = 16  # bytes: magic, package number, offset and length of the blob in blocks
_BLOCK = 16  # bytes
_BLOB_HEAD = 16  # bytes: magic, package number, checksum, length in bytes
_MOST_PAGES = 2048  # of slots; each has 256


def ndb_headers(database: bytes) -> Iterator[bytes]:
    """Yield the header of each package in the order of the slots. Raises BadDatabase."""
    if database[:4] != b"RpmP":
        raise BadDatabase("no database of rpm")
    pages = _number(database, 12)
    if pages > _MOST_PAGES or pages * _PAGE > len(database):
        raise BadDatabase("rpm's database is cut short")
    left = len(database)  # bytes: no two packages share a place
    for at in range(2 * _SLOT, pages * _PAGE, _SLOT):
        if database[at : at + 4] != b"Slot":
            raise BadDatabase("rpm's database has a damaged slot")
        if _number(database, at + 4):  # a free slot has no package
            blob = _blob(database, _number(database, at + 8) * _BLOCK)
            left -= len(blob)
            if left < 0:
                raise BadDatabase("rpm's database has several packages in one place")
            yield blob


def _blob(database: bytes, start: int) -> bytes:
    if database[start : start + 4] != b"BlbS":
        raise BadDatabase("a slot of rpm's database names a place without a package")
    length = _number(database, start + 12)
    blob = database[start + _BLOB_HEAD : start + _BLOB_HEAD + length]
    if len(blob) < length:
        raise BadDatabase("rpm's database is cut short")
    return blob


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
