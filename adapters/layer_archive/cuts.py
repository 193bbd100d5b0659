"""The rule that cuts a layer into members, version 1 (docs/layer-members.md).

It is part of the format: a layer has the same bytes whether it was packed, recompressed, or made
from members of an older layer.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from zlib import crc32

from img.adapters.layer_archive.members import members
from img.adapters.layer_archive.stream import TarStream
from img.application.ports.layer_archive import InvalidLayer
from img.domain.filesystem.entry import FILE

RULE = 1
LEAST = 1 << 20  # bytes of entries in a member
_MEAN = 4 << 20
_MOST = 16 << 20
_AS_IS = "surrogateescape"
_MOST_HELD = 32 << 20  # bytes of headers


def room_of(size: int) -> int:
    """Return the bytes of an entry in the rule: one header, and ``size`` bytes with padding."""
    return ((size + 511) & ~511) + 512


def begins_member(member: int, room: int, path: str) -> bool:
    """Return whether a new member begins before the entry ``path`` of ``room`` bytes.

    ``member`` is the room of the entries since the last cut. The answer depends on no entry after
    this one, and mostly on the path alone, so that a change moves few cuts.
    """
    return member >= LEAST and (
        member + room > _MOST or crc32(path.encode("utf-8", _AS_IS)) * _MEAN < room << 32
    )


class CutStream:
    """The chunks of a tar stream, with a call where a member begins."""

    def __init__(self, write: Callable[[memoryview], object], cut: Callable[[], object]) -> None:
        self._write = write
        self._cut = cut
        self._held = b""  # ends after the next cut, perhaps
        self._start = 0  # the offset of the held bytes in the stream
        self._safe = 0  # no cut before this offset
        self._failure: Exception | None = None  # of the source

    def copy(self, chunks: Iterable[bytes]) -> None:
        """Pass all ``chunks`` on. A stream that is no valid tar has no cuts after the fault."""
        source = iter(chunks)
        stream = TarStream(self._watched(source))
        with contextlib.suppress(InvalidLayer):
            self._find_cuts(stream)
        if self._failure is not None:
            raise self._failure
        self._pass_on(len(self._held))
        for chunk in source:
            self._write(memoryview(chunk))

    def _find_cuts(self, stream: TarStream) -> None:
        member = 0
        for entry in members(stream):
            size = entry.size if entry.kind == FILE else 0
            room = room_of(size)
            if begins_member(member, room, entry.path):
                self._pass_on(self._safe - self._start)
                self._cut()
                member = 0
            member += room
            self._safe = stream.offset + ((size + 511) & ~511)
        self._safe = 1 << 63

    def _watched(self, source: Iterator[bytes]) -> Iterator[bytes]:
        while True:
            try:
                chunk = next(source, b"")
            except Exception as error:
                self._failure = error
                raise
            if not chunk:
                return
            # Headers may straddle chunks, so some bytes are held until they are read.
            self._held = self._held + chunk if self._held else chunk
            self._pass_on(self._safe - self._start)
            if len(self._held) > _MOST_HELD:
                raise InvalidLayer("an archive has too large headers to be cut")
            yield chunk

    def _pass_on(self, size: int) -> None:
        """Write up to ``size`` of the held bytes."""
        if size > 0 and self._held:
            self._write(memoryview(self._held)[:size])
            self._start += min(size, len(self._held))
            self._held = self._held[size:]
