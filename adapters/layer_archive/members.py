"""Members of an archive as entries: headers with their extensions."""

from collections.abc import Callable, Iterator, Mapping

from img.adapters.layer_archive import header, pax
from img.adapters.layer_archive.header import Header
from img.adapters.layer_archive.stream import TarStream
from img.application.ports.layer_archive import InvalidLayer
from img.domain.filesystem import paths
from img.domain.filesystem.entry import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
    EntryKind,
)
from img.domain.kernel_numbers import LARGEST_ID, is_device

_KINDS: Mapping[bytes, EntryKind] = {
    b"0": FILE,
    b"\0": FILE,
    b"7": FILE,  # contiguous: "to be treated as a regular file" on other systems
    b"1": HARDLINK,
    b"2": SYMLINK,
    b"3": CHARACTER,
    b"4": BLOCK,
    b"5": DIRECTORY,
    b"6": FIFO,
}
_EXTENDED = b"x"
_GLOBAL = b"g"
_LONG_NAME = b"L"
_LONG_LINK = b"K"
_VOLUME_LABEL = b"V"
_SPARSE = b"S"
_MOST_EXTENSION = 1 << 20  # bytes; the limit of Go's archive/tar
# Limits of the headers and extensions of one archive in bytes: 2 million files without extensions,
# and as much memory for their names and attributes.
_MOST_HEADERS = 1 << 30
_LONGEST_PATH = 4096  # the kernel's PATH_MAX
_DEEPEST_PATH = 255
_LONGEST_XATTR = 255  # bytes; the kernel's XATTR_NAME_MAX
# Attributes that the state uses itself; a layer with them could confuse an overlay mount.
_PRIVATE_XATTRS = (
    "user.overlay.",
    "trusted.overlay.",
    "user.fuseoverlayfs.",
    "user.img.",
)


def clean_name(name: str) -> str:
    """Return a name in an archive as a path relative to the root.

    ``..`` may lead back to the root, not above it. Raises InvalidLayer.
    """
    path = contained_name(name)
    if ".." in name and _leaves_root(name):
        raise InvalidLayer(f"{name!r} leads out of the archive's root")
    return path


def contained_name(name: str) -> str:
    """Return a name in an archive as a path relative to the root; ``..`` stops at the root.

    So do tools that unpack in a changed root (Go's filepath.Clean). Raises InvalidLayer.
    """
    path = name.strip("/")
    if "/." in path or "//" in path or path.startswith("."):
        path = paths.clean(name)
    if "\0" in path:
        raise InvalidLayer(f"{path[:80]!a} holds a NUL character")
    if len(path) >= _LONGEST_PATH or path.count("/") >= _DEEPEST_PATH:
        raise InvalidLayer(f"{path[:80]!r}... is too long or too deep a name")
    return path


def _leaves_root(name: str) -> bool:
    depth = 0
    for part in name.split("/"):
        if part == "..":
            depth -= 1
        elif part and part != ".":
            depth += 1
        if depth < 0:
            return True
    return False


def members(
    stream: TarStream,
    *,
    most_headers: int = _MOST_HEADERS,
    path_of: Callable[[str], str] = clean_name,
) -> Iterator[Entry]:
    """Yield the entries; the content of each, ``entry.size`` bytes, is next in ``stream`` then.

    All headers and extensions together may have ``most_headers`` bytes, because their content is
    kept in memory. ``path_of`` converts names to paths.

    Unread content is skipped. Global extended headers are skipped too, as by all tools that use
    Go's archive/tar, which is the reference for layers. Raises InvalidLayer.
    """
    extension: dict[bytes, bytes] = {}
    left = most_headers
    while not stream.at_end():
        block = stream.take(header.BLOCK)
        if block == header.END:
            return
        left -= header.BLOCK
        if left < 0:
            raise InvalidLayer(f"the headers in the archive have more than {most_headers} bytes")
        found = header.parse(block)
        if found.type in _KINDS:
            offset = stream.offset
            entry, size = _entry(found, extension, offset, path_of)
            yield entry
            stream.skip_to(offset + header.padded(size))
            extension = {}
        elif found.type in (_EXTENDED, _LONG_NAME, _LONG_LINK):
            extension.update(_read_extension(found, stream))
            left -= found.size
        elif found.type in (_GLOBAL, _VOLUME_LABEL):
            stream.skip_to(stream.offset + header.padded(found.size))
        elif found.type == _SPARSE:
            raise InvalidLayer(f"{_text(found.name)!r} is a sparse file; pack it without holes")
        else:
            raise InvalidLayer(f"{_text(found.name)!r} is of the unknown type {found.type!r}")
    if extension:
        raise InvalidLayer("the archive is cut short")


def _read_extension(found: Header, stream: TarStream) -> dict[bytes, bytes]:
    if found.size > _MOST_EXTENSION:
        raise InvalidLayer(f"a tar extended header has {found.size} bytes")
    content = stream.take(header.padded(found.size))[: found.size]
    if found.type == _EXTENDED:
        return pax.parse(content)
    key = b"path" if found.type == _LONG_NAME else b"linkpath"
    return {key: content.partition(b"\0")[0]}


def _entry(
    found: Header, extension: dict[bytes, bytes], offset: int, path_of: Callable[[str], str]
) -> tuple[Entry, int]:
    """Return the entry, and the size of the content after its header."""
    name, mode, uid, gid, size, mtime, kind_flag, link, device = found
    mtime *= 10**9
    xattrs: tuple[tuple[str, bytes], ...] = ()
    if extension:
        name = extension.get(b"path") or name
        link = extension.get(b"linkpath") or link
        uid = pax.natural(extension.get(b"uid") or b"%d" % uid)
        gid = pax.natural(extension.get(b"gid") or b"%d" % gid)
        size = pax.natural(extension.get(b"size") or b"%d" % size)
        mtime = pax.nanoseconds(extension.get(b"mtime") or b"%d" % found.mtime)
        xattrs = _xattrs(name, extension)
        if any(key.startswith(b"GNU.sparse.") for key in extension):
            raise InvalidLayer(f"{_text(name)!r} is a sparse file; pack it without holes")
    kind = _KINDS[kind_flag]
    if kind_flag == b"\0" and name.endswith(b"/"):
        kind = DIRECTORY  # as in V7 tars
    path = path_of(_text(name))
    if not 0 <= uid <= LARGEST_ID >= gid >= 0:
        raise InvalidLayer(f"/{path} belongs to {uid}:{gid}, which cannot be")
    if kind == FILE:
        fields = (path, FILE, mode, uid, gid, size, mtime, "", (0, 0), xattrs, "", offset)
        return tuple.__new__(Entry, fields), size  # past the NamedTuple's own, as in header.parse
    if kind == DIRECTORY:
        return Entry(path, DIRECTORY, mode, uid, gid, 0, mtime, "", (0, 0), xattrs), 0
    if kind in (CHARACTER, BLOCK) and not is_device(device):
        raise InvalidLayer(f"/{path} is the device {device[0]}:{device[1]}, which cannot be")
    target = _link(path, kind, link, path_of)
    return Entry(path, kind, mode, uid, gid, 0, mtime, target, device, xattrs), 0


def _link(path: str, kind: str, link: bytes, path_of: Callable[[str], str]) -> str:
    if kind not in (SYMLINK, HARDLINK):
        return ""
    if not link or b"\0" in link or len(link) >= _LONGEST_PATH:
        raise InvalidLayer(f"/{path} is a link to nothing, or to something impossible")
    return _text(link) if kind == SYMLINK else path_of(_text(link))


def _xattrs(name: bytes, extension: dict[bytes, bytes]) -> tuple[tuple[str, bytes], ...]:
    found = []
    for key, value in extension.items():
        if key.startswith(pax.XATTR):
            attribute = key[len(pax.XATTR) :]
            if not 0 < len(attribute) <= _LONGEST_XATTR or b"\0" in attribute:
                raise InvalidLayer(
                    f"{name[:80]!a} has the attribute {attribute[:80]!a}, which no file can have"
                )
            found.append((_text(attribute), value))
    return tuple(sorted(x for x in found if not x[0].startswith(_PRIVATE_XATTRS)))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
