"""The entries of one layer, in the order of its tar."""

import marshal
from collections.abc import Iterable, Iterator

from img.domain.dataclass import dataclass
from img.domain.errors import StateError
from img.domain.filesystem.entry import Entry

WHITEOUT_PREFIX = ".wh."
OPAQUE_WHITEOUT = ".wh..wh..opq"
_MAGIC = b"img-index-2\n"
_ENTRIES = 4096  # that are encoded at once, so that it takes little memory
_LENGTH = 4  # bytes


class CorruptFileIndex(StateError):
    """A stored index that cannot be read; it can be made again from the layer."""

    def __init__(self) -> None:
        super().__init__("a stored file index is corrupt")


@dataclass(frozen=True, slots=True)
class FileIndex:
    """The entries of one layer, whiteouts among them under their ``.wh.`` names."""

    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def encode(self) -> bytes:
        """Return the index as bytes: marshal reads 10^5 entries in 40 ms, JSON in 400."""
        parts = [_MAGIC]
        for start in range(0, len(self.entries), _ENTRIES):
            rows = [tuple(entry) for entry in self.entries[start : start + _ENTRIES]]
            part = marshal.dumps(rows, 4)
            parts += [len(part).to_bytes(_LENGTH, "big"), part]
        return b"".join(parts)

    @classmethod
    def decode(cls, content: bytes) -> "FileIndex":
        """Return the index that ``encode`` wrote. Raises CorruptFileIndex."""
        if not content.startswith(_MAGIC):
            raise CorruptFileIndex
        entries: list[Entry] = []
        at, view = len(_MAGIC), memoryview(content)
        try:
            while at < len(view):
                start = at + _LENGTH
                at = start + int.from_bytes(view[at:start], "big")
                if at > len(view):
                    raise CorruptFileIndex
                entries += map(Entry._make, marshal.loads(view[start:at]))
        except (ValueError, EOFError, TypeError) as error:
            raise CorruptFileIndex from error
        return cls(tuple(entries))

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "FileIndex":
        """Return the index of ``entries`` in their order."""
        return cls(tuple(entries))
