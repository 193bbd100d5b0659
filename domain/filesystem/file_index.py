"""File indexes: the entries of one layer, in the order of its tar."""

import marshal
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from img.domain.dataclass import dataclass
from img.domain.errors import StateError
from img.domain.filesystem.entry import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
)
from img.domain.filesystem.file_name import are_tree_paths
from img.domain.kernel_numbers import is_device, is_id

WHITEOUT_PREFIX = ".wh."
OPAQUE_WHITEOUT = ".wh..wh..opq"
_MAGIC = b"img-index-2\n"
_ENTRIES = 4096  # entries that are encoded at once, to save memory
_LENGTH = 4  # bytes
_KINDS = frozenset((FILE, DIRECTORY, SYMLINK, HARDLINK, CHARACTER, BLOCK, FIFO))
_NUMBERS = itemgetter(1, 2, 3, 4, 8)  # kind, mode, uid, gid, device: most entries share a few


class CorruptFileIndex(StateError):
    """A stored index with an error; it can be made again from the layer."""

    def __init__(self) -> None:
        super().__init__("a stored file index is corrupt")


@dataclass(frozen=True, slots=True)
class FileIndex:
    """The entries of one layer, including whiteouts with their ``.wh.`` names."""

    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def encode(self) -> bytes:
        """Return the index in marshal's format: it reads 10^5 entries in 40 ms (JSON: 400 ms)."""
        return b"".join(self.encoded())

    def encoded(self) -> Iterator[bytes]:
        """Yield the same in parts, which saves memory."""
        yield _MAGIC
        for start in range(0, len(self.entries), _ENTRIES):
            part = marshal.dumps([*map(tuple, self.entries[start : start + _ENTRIES])], 4)
            yield len(part).to_bytes(_LENGTH, "big")
            yield part

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
                rows = marshal.loads(view[start:at])
                _check(rows)
                entries += map(Entry._make, rows)
        except (ValueError, EOFError, TypeError) as error:
            raise CorruptFileIndex from error
        return cls(tuple(entries))

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "FileIndex":
        """Return the index of ``entries`` in their order."""
        return cls(tuple(entries))


def _check(rows: Sequence[Any]) -> None:
    """Raise CorruptFileIndex for entries that are impossible in a layer.

    The check is cheap: a fourth of the time for reading the entries.
    """
    try:
        sound = are_tree_paths([row[0] for row in rows]) and all(
            map(_is_sound, set(map(_NUMBERS, rows)))
        )
    except (TypeError, ValueError, IndexError):  # of other types than entries have
        sound = False
    if not sound:
        raise CorruptFileIndex


def _is_sound(numbers: tuple[str, int, int, int, tuple[int, int]]) -> bool:
    kind, mode, uid, gid, device = numbers
    return (
        kind in _KINDS
        and 0 <= mode <= 0o7777
        and is_id(uid)
        and is_id(gid)
        and (is_device(device) or kind not in (CHARACTER, BLOCK))
    )
