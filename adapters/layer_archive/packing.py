"""Writing a tar file: headers and contents in one stream."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import BinaryIO

from img.adapters.layer_archive import header, records
from img.adapters.layer_archive.cuts import LEAST, begins_member
from img.adapters.linux.buffers import CHUNK
from img.application.ports.build_context import ContextFileChanged
from img.application.ports.layer_archive import InvalidLayer, PackedEntry
from img.domain.filesystem.entry import FILE, SOCKET, Entry
from img.domain.filesystem.file_name import is_tree_path

_NO_CONTENT = BytesIO()
_PADDING = tuple(bytes(-size % header.BLOCK) for size in range(header.BLOCK))
SECOND = 10**9
_SHA256 = hashlib.sha256

Write = Callable[[Sequence[bytes]], object]
"""Takes the next bytes of a file, in parts: about 1 MiB, of which most parts are small."""


def write_tar(entries: Iterable[PackedEntry], write: Write, epoch: int | None) -> list[Entry]:
    """Write a whole tar file, and return its entries as they are in the file.

    mtimes are cut to whole seconds, and to ``epoch`` (seconds) if they are later. Raises
    ContextFileChanged, InvalidLayer.
    """
    writer = TarWriter(write, None, epoch)
    writer.add(entries)
    writer.finish()
    return writer.entries


class TarWriter:
    """A tar file that is being written."""

    def __init__(self, write: Write, cut: Callable[[], object] | None, epoch: int | None) -> None:
        self._put = write
        self._cut = cut  # called where the rule of ``cuts`` begins a member; None: nowhere
        self._latest = None if epoch is None else epoch * SECOND
        self._parts: list[bytes] = []  # not written yet
        self._written = 0  # bytes
        self.offset = 0  # of the next byte
        self.room = 0  # of the entries since the last cut, in the rule
        self.entries: list[Entry] = []  # since the last cut, as they are in the file
        self.headers: list[int] = []  # the size of the headers of each of them

    def add(self, entries: Iterable[PackedEntry]) -> None:
        """Write ``entries``. Raises ContextFileChanged, InvalidLayer."""
        # Local names, tuple's __new__ and _add inlined: there may be 10^6 entries.
        keep, make, render, sha256 = self.entries.append, tuple.__new__, records.render, _SHA256
        latest, note, begins, cuts = self._latest, self.headers.append, begins_member, self._cut
        last = 0  # the time of the file before: often the same, and kept as one object
        for packed in entries:
            path, kind, mode, uid, gid, size, mtime, link, device, xattrs, known, _ = packed[0]
            if kind == SOCKET:  # tar has no type for them; all tools leave them out
                continue
            if not is_tree_path(path):
                raise InvalidLayer(f"{path!a} cannot be the path of a file")
            mtime -= mtime % SECOND
            if latest is not None and mtime > latest:
                mtime = latest
            if mtime == last:
                mtime = last
            last = mtime
            room = ((size + 511) & ~511) + 512 if kind == FILE else 512
            if self.room >= LEAST and cuts is not None and begins(self.room, room, path):
                self.cut()
            self.room += room
            row = (path, kind, mode, uid, gid, size, mtime, link, device, xattrs)
            head = render(row)
            note(len(head))
            if kind != FILE:
                self._add(head)
                keep(make(Entry, (*row, "", -1)))
                continue
            offset = self.offset + len(head)
            content = packed[1]() if size else _NO_CONTENT  # type: ignore[misc]
            if type(content) is BytesIO:  # of most files: no copy is made
                data = content.getvalue()
                if len(data) != size:
                    raise ContextFileChanged(path)
                digest = known or sha256(data).hexdigest()
                padding = _PADDING[size % 512]
                self._parts += (head, data, padding)
                self.offset = offset + size + len(padding)
                if self.offset - self._written >= CHUNK:
                    self._flush()
            else:
                self._add(head)
                with content:
                    digest = self._copy(packed[0], content)
                self._add(_PADDING[size % 512])
            keep(make(Entry, (*row, digest, offset)))

    def cut(self) -> None:
        """End a member."""
        self._flush()
        if self._cut is not None:
            self._cut()
        self.room = 0
        self.entries.clear()
        self.headers.clear()

    def skip(self, entries: Sequence[Entry], size: int, room: int) -> None:
        """Go on after ``entries``, a member of ``size`` bytes that was written by other means."""
        self.entries += entries
        self.offset += size
        self._written = self.offset
        self.room = room

    def finish(self) -> None:
        """Write the end of the file."""
        self._add(header.END + header.END)
        self._flush()

    def _copy(self, entry: Entry, content: BinaryIO) -> str:
        digest = hashlib.sha256()
        left = entry.size
        # Reading one byte more than expected detects a file that has grown.
        while data := content.read(min(left + 1, CHUNK)):
            left -= len(data)
            if left < 0:
                break
            digest.update(data)
            self._add(data)
        if left:
            raise ContextFileChanged(entry.path)
        return digest.hexdigest()

    def _add(self, data: bytes) -> None:
        self._parts.append(data)
        self.offset += len(data)
        if self.offset - self._written >= CHUNK:
            self._flush()

    def _flush(self) -> None:
        parts, self._parts, self._written = self._parts, [], self.offset
        if parts:
            self._put(parts)
