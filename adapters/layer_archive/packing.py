"""Writing a tar file: headers and contents in one stream."""

import hashlib
from collections.abc import Callable
from typing import BinaryIO

from img.adapters.layer_archive import header, records
from img.adapters.linux.buffers import CHUNK
from img.application.ports.build_context import ContextFileChanged
from img.application.ports.layer_archive import InvalidLayer, PackedEntry
from img.domain.filesystem.entry import FILE, Entry
from img.domain.filesystem.file_name import is_tree_path

_EMPTY = hashlib.sha256().hexdigest()


class TarWriter:
    """Passes the chunks of a tar file to ``write``."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._put = write
        self._offset = 0

    def add(self, packed: PackedEntry, mtime: int) -> Entry:
        """Write one entry with ``mtime`` (ns) and return it as it is in the file.

        Raises ContextFileChanged, InvalidLayer.
        """
        path, kind, mode, uid, gid, size, _, link, device, xattrs, _, _ = packed.entry
        if not is_tree_path(path):
            raise InvalidLayer(f"{path!a} cannot be the path of a file")
        entry = Entry(path, kind, mode, uid, gid, size, mtime, link, device, xattrs)
        self._write(records.render(entry))
        if kind != FILE:
            return entry
        offset = self._offset
        digest = self._write_content(packed) if size else _EMPTY
        return Entry(path, kind, mode, uid, gid, size, mtime, link, device, xattrs, digest, offset)

    def finish(self) -> None:
        """Write the end of the archive."""
        self._write(header.END + header.END)

    def _write_content(self, packed: PackedEntry) -> str:
        entry = packed.entry
        assert packed.open is not None, f"/{entry.path} has a size and no content"
        with packed.open() as content:
            if entry.size < CHUNK:
                # Reading one byte more than expected detects a file that has grown.
                data = content.read(entry.size + 1)
                if len(data) == entry.size:
                    digest = hashlib.sha256(data).hexdigest()
                    self._write(data)
                else:
                    digest = self._copy(entry, data, content)
            else:
                digest = self._copy(entry, b"", content)
        self._write(bytes(-entry.size % header.BLOCK))
        return digest

    def _copy(self, entry: Entry, data: bytes, content: BinaryIO) -> str:
        digest = hashlib.sha256()
        left = entry.size
        while left >= len(data):
            digest.update(data)
            self._write(data)
            left -= len(data)
            data = content.read(min(left + 1, CHUNK))
            if not data and not left:
                return digest.hexdigest()
            if not data:
                break
        raise ContextFileChanged(entry.path)

    def _write(self, data: bytes) -> None:
        self._offset += len(data)
        self._put(data)
