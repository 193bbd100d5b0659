"""The entries of one layer, in the order of its tar."""

import marshal
from collections.abc import Iterable, Iterator

from img.domain.dataclass import dataclass
from img.domain.errors import StateError
from img.domain.filesystem.entry import Entry

WHITEOUT_PREFIX = ".wh."
OPAQUE_WHITEOUT = ".wh..wh..opq"
_FORMAT = 1


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
        return marshal.dumps((_FORMAT, [tuple(entry) for entry in self.entries]), 4)

    @classmethod
    def decode(cls, content: bytes) -> "FileIndex":
        """Return the index that ``encode`` wrote. Raises CorruptFileIndex."""
        try:
            version, rows = marshal.loads(content)
            if version != _FORMAT:
                raise CorruptFileIndex
            return cls(tuple(map(Entry._make, rows)))
        except (ValueError, EOFError, TypeError) as error:
            raise CorruptFileIndex from error

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "FileIndex":
        """Return the index of ``entries`` in their order."""
        return cls(tuple(entries))
