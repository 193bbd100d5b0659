"""squashfs, version 4.0, written without another program.

Linux, Documentation/filesystems/squashfs.rst and fs/squashfs/squashfs_fs.h. mksquashfs would give
other bytes on each machine: its versions order and compress differently.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from img.adapters.disk_image.squashfs_tables import (
    Attributes,
    Compress,
    Ids,
    Metadata,
    lookup_table,
)
from img.application.ports.disk_image import DiskImage, DiskImageForm, NotInDiskImage
from img.application.ports.layer_archive import PackedEntry
from img.application.ports.scratch_space import ScratchSpace
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

_MAGIC = 0x73717368
_BLOCK_LOG = 17
_BLOCK_SIZE = 1 << _BLOCK_LOG  # bytes; that of mksquashfs
_SUPERBLOCK = 96  # bytes
_PADDING = 4096  # bytes; a loop device has whole sectors
_UNCOMPRESSED = 1 << 24
_NO_TABLE = (1 << 64) - 1
_NO_FRAGMENT = 0xFFFFFFFF
_NO_XATTRS = 0x0200  # a flag
_COMPRESSORS = {"gzip": 1, "zstd": 6}
_TYPES = {DIRECTORY: 1, FILE: 2, SYMLINK: 3, BLOCK: 4, CHARACTER: 5, FIFO: 6}
_EXTENDED = 7  # from the number of a type to that of its extended form
_MOST_ENTRIES = 256  # of a header in a directory
_MOST_IN_32 = (1 << 32) - 1
_LONGEST_NAME = 256
_LONGEST_LINK = 4095  # bytes; Linux reads no longer one
_LONGEST_ATTRIBUTE = 255  # bytes of a name (xattr(7))
_MOST_IDS = (1 << 16) - 1
_MOST_MAJOR, _MOST_MINOR = (1 << 12) - 1, (1 << 20) - 1  # of a device
_SECOND = 10**9
_CHUNK = 1 << 20


class _Node:
    """A file of the tree, and where its parts are."""

    __slots__ = ("blocks", "children", "entry", "fragment", "links", "number", "place", "start")

    def __init__(self, entry: Entry, number: int) -> None:
        self.entry = entry
        self.number = number
        self.links = 1
        self.children: dict[bytes, _Node] = {}
        self.start = 0
        self.blocks: list[int] = []
        self.fragment = (_NO_FRAGMENT, 0)
        self.place = (-1, 0)  # of the inode in its table


class Squashfs(DiskImage):
    """A squashfs with gzip or zstd."""

    def __init__(self, scratch: ScratchSpace) -> None:
        self._scratch = scratch

    def write(self, entries: Iterable[PackedEntry], output: BinaryIO, form: DiskImageForm) -> None:
        for chunk in self.chunks(entries, form)[1]:
            output.write(chunk)

    def chunks(
        self, entries: Iterable[PackedEntry], form: DiskImageForm
    ) -> tuple[int, Iterator[bytes]]:
        """Return the size of the file system in bytes, and its content in chunks."""
        compress = _compressor(form.compression)
        data = self._scratch.new()
        try:
            tree = _Tree(data, compress)
            for packed in entries:
                tree.add(packed)
            head, tables = tree.finished(form)
        except BaseException:
            data.close()
            raise
        size = _SUPERBLOCK + tree.written + len(tables)
        return size, _joined(head, data, tables)


def _joined(head: bytes, data: BinaryIO, tables: bytes) -> Iterator[bytes]:
    with data:
        yield head
        data.seek(0)
        while chunk := data.read(_CHUNK):
            yield chunk
        yield tables


def _compressor(name: str) -> Compress:
    if name == "zstd":
        import zstandard

        compress: Compress = zstandard.ZstdCompressor(level=9, write_checksum=False).compress
        return compress
    from isal import isal_zlib

    return lambda plain: isal_zlib.compress(plain, 2)  # docs/adr/0005-isal-level-2.md


class _Tree:
    """The tree of files; contents are written to ``data`` when their file is added."""

    def __init__(self, data: BinaryIO, compress: Compress) -> None:
        self.written = 0  # bytes of data
        self._data = data
        self._compress = compress
        self._root = _Node(Entry("", DIRECTORY, 0o755), 1)
        self._nodes = {"": self._root}
        self._directories = [("", self._root)]
        self._tails = bytearray()  # of the next block of fragments
        self._fragments: list[bytes] = []
        self._ids = Ids()
        self._attributes = Attributes(compress)
        self._inodes = Metadata(compress)
        self._listings = Metadata(compress)
        self._last = 1  # number of an inode

    def add(self, packed: PackedEntry) -> None:
        entry, open_content = packed
        parent, _, name = entry.path.rpartition("/")
        encoded = _encoded(name)
        if len(encoded) > _LONGEST_NAME:
            raise NotInDiskImage(f"the name {name[:40]}… is too long for squashfs")
        _check(entry)
        if entry.kind == HARDLINK:
            node = self._nodes[entry.link]
            node.links += 1
        elif entry.kind not in _TYPES:
            raise NotInDiskImage(f"{entry.path}: squashfs files have no kind {entry.kind}")
        else:
            self._last += 1
            node = _Node(entry, self._last)
            if entry.kind == DIRECTORY:
                self._directories.append((entry.path, node))
            if entry.kind == FILE and entry.size and open_content is not None:
                with open_content() as content:
                    self._store(node, content)
        self._nodes[entry.path] = node
        self._nodes[parent].children[encoded] = node

    def _store(self, node: _Node, content: BinaryIO) -> None:
        node.start = _SUPERBLOCK + self.written
        left = node.entry.size
        while left:
            plain = _exactly(content, min(left, _BLOCK_SIZE), node.entry.path)
            left -= len(plain)
            if len(plain) == _BLOCK_SIZE:
                node.blocks.append(self._block(plain))
            else:
                if len(self._tails) + len(plain) > _BLOCK_SIZE:
                    self._end_fragment()
                node.fragment = len(self._fragments), len(self._tails)
                self._tails += plain

    def _block(self, plain: bytes) -> int:
        """Write a block and return its size on disk with its flag."""
        packed = self._compress(plain)
        if len(packed) >= len(plain):
            self._data.write(plain)
            self.written += len(plain)
            return len(plain) | _UNCOMPRESSED
        self._data.write(packed)
        self.written += len(packed)
        return len(packed)

    def _end_fragment(self) -> None:
        start = _SUPERBLOCK + self.written
        size = self._block(bytes(self._tails))
        self._fragments.append(struct.pack("<QII", start, size, 0))
        self._tails.clear()

    def finished(self, form: DiskImageForm) -> tuple[bytes, bytes]:
        """Return the superblock, and the tables after the data."""
        if self._tails:
            self._end_fragment()
        # Directories below others first. No recursion: an image may be thousands of them deep.
        for path, node in reversed(self._directories):
            above = self._nodes[path.rpartition("/")[0]].number
            self._directory(node, above if path else self._last + 1)
        if len(self._ids.records()) > _MOST_IDS:
            raise NotInDiskImage(f"squashfs holds no more than {_MOST_IDS} owners and groups")
        inodes, listings = self._inodes.content(), self._listings.content()
        start = _SUPERBLOCK + self.written
        tables = inodes + listings
        fragments, fragments_at = lookup_table(self._fragments, self._compress, start + len(tables))
        tables += fragments
        ids, ids_at = lookup_table(self._ids.records(), self._compress, start + len(tables))
        tables += ids
        xattrs, xattrs_at = self._attributes.content(start + len(tables))
        tables += xattrs
        used = start + len(tables)
        block, offset = self._root.place
        head = struct.pack(
            "<IIIIIHHHHHHQQQQQQQQ",
            _MAGIC, self._last, _time(form.epoch), _BLOCK_SIZE, len(self._fragments),
            _COMPRESSORS[form.compression], _BLOCK_LOG, 0 if xattrs else _NO_XATTRS,
            len(self._ids.records()), 4, 0, block << 16 | offset, used, ids_at,
            xattrs_at, start, start + len(inodes), fragments_at, _NO_TABLE,
        )  # fmt: skip
        return head, tables + bytes(-used % _PADDING)

    def _directory(self, node: _Node, parent: int) -> None:
        """Write the inodes of a directory's files, its listing, and its own inode."""
        children = sorted(node.children.items())
        for _, child in children:
            if child.place[0] < 0:  # else a directory, or a file with several names
                child.place = self._inodes.place
                self._inodes.add(self._inode(child))
        block, offset = self._listings.place
        listing = _listing(children)
        self._listings.add(listing)
        links = 2 + sum(child.entry.kind == DIRECTORY for _, child in children)
        xattrs = self._attributes.place_of(node.entry.xattrs)
        size = len(listing) + 3  # "." and ".." count
        node.place = self._inodes.place
        if size < 1 << 16 and xattrs == Attributes.NONE:
            body = struct.pack("<IIHHI", block, links, size, offset, parent)
        else:
            body = struct.pack("<IIIIHHI", links, size, block, parent, 0, offset, xattrs)
        self._inodes.add(self._head(node, extended=len(body) > 16) + body)

    def _inode(self, node: _Node) -> bytes:
        entry = node.entry
        xattrs = self._attributes.place_of(entry.xattrs)
        extended = xattrs != Attributes.NONE
        match entry.kind:
            case "f":
                index, offset = node.fragment
                extended |= node.links > 1 or max(entry.size, node.start) > _MOST_IN_32
                if extended:
                    body = struct.pack(
                        "<QQQIIII",
                        node.start, entry.size, 0, node.links, index, offset, xattrs,
                    )  # fmt: skip
                else:
                    body = struct.pack("<IIII", node.start, index, offset, entry.size)
                body += struct.pack(f"<{len(node.blocks)}I", *node.blocks)
            case "l":
                target = _encoded(entry.link)
                body = struct.pack("<II", node.links, len(target)) + target
                body += struct.pack("<I", xattrs) if extended else b""
            case "c" | "b":
                body = struct.pack("<II", node.links, _device(*entry.device))
                body += struct.pack("<I", xattrs) if extended else b""
            case _:
                body = struct.pack("<I", node.links)
                body += struct.pack("<I", xattrs) if extended else b""
        return self._head(node, extended=extended) + body

    def _head(self, node: _Node, *, extended: bool) -> bytes:
        entry = node.entry
        return struct.pack(
            "<HHHHII",
            _TYPES[entry.kind] + (_EXTENDED if extended else 0),
            entry.mode & 0o7777,
            self._ids.place_of(entry.uid),
            self._ids.place_of(entry.gid),
            _time(entry.mtime // _SECOND),
            node.number,
        )


def _listing(children: Iterable[tuple[bytes, _Node]]) -> bytes:
    """Return the entries of a directory, in runs of inodes of one block."""
    written = bytearray()
    run: list[tuple[bytes, _Node]] = []
    for name, node in children:
        if run and not _fits(run, node):
            written += _run(run)
            run = []
        run.append((name, node))
    return bytes(written + _run(run)) if run else b""


def _fits(run: list[tuple[bytes, _Node]], node: _Node) -> bool:
    first = run[0][1]
    return (
        len(run) < _MOST_ENTRIES
        and node.place[0] == first.place[0]
        and -(1 << 15) <= node.number - first.number < 1 << 15
    )


def _run(run: list[tuple[bytes, _Node]]) -> bytes:
    first = run[0][1]
    entries = [
        struct.pack(
            "<HhHH",
            node.place[1],
            node.number - first.number,
            _TYPES[node.entry.kind],
            len(name) - 1,
        )
        + name
        for name, node in run
    ]
    return struct.pack("<III", len(run) - 1, first.place[0], first.number) + b"".join(entries)


def _check(entry: Entry) -> None:
    """Raise NotInDiskImage for properties that are too large; layers can have any."""
    (major, minor), owners = entry.device, (entry.uid, entry.gid)
    attributes = (name for name, _ in entry.xattrs)
    if not all(0 <= owner <= _MOST_IN_32 for owner in owners):
        raise NotInDiskImage(f"{entry.path}: no owner {entry.uid}:{entry.gid} in squashfs")
    if not (0 <= major <= _MOST_MAJOR and 0 <= minor <= _MOST_MINOR):
        raise NotInDiskImage(f"{entry.path}: no device {major}:{minor} in squashfs")
    if entry.kind == SYMLINK and len(_encoded(entry.link)) > _LONGEST_LINK:
        raise NotInDiskImage(f"{entry.path}: its link is too long for squashfs")
    if any(len(_encoded(name)) > _LONGEST_ATTRIBUTE for name in attributes):
        raise NotInDiskImage(f"{entry.path}: the name of an attribute is too long for squashfs")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _exactly(content: BinaryIO, size: int, path: str) -> bytes:
    parts = []
    while size:
        part = content.read(size)
        if not part:
            raise NotInDiskImage(f"{path}: the file ends early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _device(major: int, minor: int) -> int:
    return minor & 0xFF | major << 8 | (minor & ~0xFF) << 12  # the kernel's new_encode_dev


def _time(seconds: int) -> int:
    return min(max(seconds, 0), _MOST_IN_32)
