"""Writing a tar file: headers and contents in one stream."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import BinaryIO

from img.adapters.layer_archive import header, records
from img.adapters.linux.buffers import CHUNK
from img.application.ports.build_context import ContextFileChanged
from img.application.ports.layer_archive import InvalidLayer, PackedEntry
from img.domain.filesystem.entry import FILE, SOCKET, Entry
from img.domain.filesystem.file_name import is_tree_path

_NO_CONTENT = BytesIO()
_PADDING = tuple(bytes(-size % header.BLOCK) for size in range(header.BLOCK))
_SECOND = 10**9

Write = Callable[[Sequence[bytes]], object]
"""Takes the next bytes of a file, in parts: about 1 MiB, of which most parts are small."""


def write_tar(entries: Iterable[PackedEntry], write: Write, epoch: int | None) -> list[Entry]:
    """Write a whole tar file, and return its entries as they are in the file.

    mtimes are cut to whole seconds, and to ``epoch`` (seconds) if they are later. Raises
    ContextFileChanged, InvalidLayer.
    """
    return _TarWriter(write).write(entries, epoch)


class _TarWriter:
    def __init__(self, write: Write) -> None:
        self._put = write
        self._parts: list[bytes] = []  # not written yet
        self._written = 0  # bytes
        self._offset = 0  # of the next byte

    def write(self, entries: Iterable[PackedEntry], epoch: int | None) -> list[Entry]:
        written: list[Entry] = []
        # Local names, tuple's __new__ and _add inlined: there may be 10^6 entries.
        keep, make, render, sha256 = written.append, tuple.__new__, records.render, hashlib.sha256
        latest = None if epoch is None else epoch * _SECOND
        for packed in entries:
            path, kind, mode, uid, gid, size, mtime, link, device, xattrs, known, _ = packed[0]
            if kind == SOCKET:  # tar has no type for them; all tools leave them out
                continue
            if not is_tree_path(path):
                raise InvalidLayer(f"{path!a} cannot be the path of a file")
            mtime -= mtime % _SECOND
            if latest is not None and mtime > latest:
                mtime = latest
            row = (path, kind, mode, uid, gid, size, mtime, link, device, xattrs)
            head = render(row)
            if kind != FILE:
                self._add(head)
                keep(make(Entry, (*row, "", -1)))
                continue
            offset = self._offset + len(head)
            content = packed[1]() if size else _NO_CONTENT  # type: ignore[misc]
            if type(content) is BytesIO:  # of most files: no copy is made
                data = content.getvalue()
                if len(data) != size:
                    raise ContextFileChanged(path)
                digest = known or sha256(data).hexdigest()
                padding = _PADDING[size % 512]
                self._parts += (head, data, padding)
                self._offset = offset + size + len(padding)
                if self._offset - self._written >= CHUNK:
                    self._flush()
            else:
                self._add(head)
                with content:
                    digest = self._copy(packed[0], content)
                self._add(_PADDING[size % 512])
            keep(make(Entry, (*row, digest, offset)))
        self._add(header.END + header.END)
        self._flush()
        return written

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
        self._offset += len(data)
        if self._offset - self._written >= CHUNK:
            self._flush()

    def _flush(self) -> None:
        parts, self._parts, self._written = self._parts, [], self._offset
        if parts:
            self._put(parts)
