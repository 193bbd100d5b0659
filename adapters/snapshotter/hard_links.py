"""Hard links of the layers below that an overlay would break.

A write through one name of a file copies the file into the upper directory under that name. With
``index=on`` the other names show the copy while the overlay is mounted, yet have no name in the
upper directory. Without, which is all a user namespace gets (the kernel wants CAP_DAC_READ_SEARCH
of the first one), they go on to show the old file. Both are mended here after the step.
"""

import ctypes
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from img.adapters.snapshotter.attributes import digest_of, set_directory
from img.adapters.snapshotter.upper import UpperDirectory
from img.domain.filesystem import paths
from img.domain.filesystem.entry import FILE, Entry
from img.domain.filesystem.tree import FileTree

# struct ovl_fb (fs/overlayfs/overlayfs.h): version, magic, length, flags, type, 16 bytes of UUID.
_HANDLE_OFFSET = 21
_AT_FDCWD = -100


def lower_path(lowers: Iterable[str], path: str) -> str | None:
    """Return where the file is that a stack of layers, topmost first, shows at ``path``.

    ``path`` has to be visible; None if no layer has it.
    """
    for lower in lowers:
        if all(_is_directory(f"{lower}/{parent}") for parent in paths.ancestors(path)):
            found = f"{lower}/{path}"
            if os.path.lexists(found):
                return found
    return None


def restore_links(
    directory: str, index: str, upper: UpperDirectory, base: FileTree, lowers: Sequence[str]
) -> bool:
    """Give files that were copied up all their names again, in the upper directory as well.

    ``index`` is where the kernel kept the copies if it has an index. Tells whether
    anything was done; ``upper`` is out of date then.
    """
    if os.path.isdir(index):
        copies = _indexed(index, base, lowers)
    elif upper.copied:
        copies = _guessed(directory, upper, base)
    else:
        return False
    done = False
    for copy, names in copies:
        for name in sorted(names):
            target = f"{directory}/{name}"
            if upper.shows(name) and not os.path.lexists(target):
                link_into(directory, copy, name, base)
                done = True
    return done


def link_into(directory: str, source: str, name: str, base: FileTree) -> None:
    """Make ``name`` in ``directory`` a hard link to ``source``; no directory's mtime changes."""
    make_parents(directory, name, base)
    target = f"{directory}/{name}"
    parent = os.path.dirname(target)
    before = os.stat(parent)
    os.link(source, target, follow_symlinks=False)
    os.utime(parent, ns=(before.st_atime_ns, before.st_mtime_ns))


def make_parents(directory: str, name: str, base: FileTree) -> None:
    """Make the missing directories above ``name`` in ``directory`` what they are in ``base``."""
    for parent in paths.ancestors(name):
        path = f"{directory}/{parent}"
        if os.path.lexists(path):
            continue
        above = os.path.dirname(path)
        before = os.stat(above)
        os.mkdir(path)
        set_directory(path, base.get(parent) or Entry(parent, "d", 0o755))
        os.utime(above, ns=(before.st_atime_ns, before.st_mtime_ns))


def _indexed(
    index: str, base: FileTree, lowers: Sequence[str]
) -> Iterator[tuple[str, AbstractSet[str]]]:
    """Yield the copies in the kernel's index and the names they have in ``base``."""
    copies = {
        bytes.fromhex(name)[_HANDLE_OFFSET:]: f"{index}/{name}"
        for name in os.listdir(index)
        if not name.startswith("#") and stat.S_ISREG(os.lstat(f"{index}/{name}").st_mode)
    }
    if not copies:
        return
    for names in base.linked_files():
        path = lower_path(lowers, min(names))
        handle = _handle(path) if path else None
        if handle in copies:
            yield copies[handle], names


def _guessed(
    directory: str, upper: UpperDirectory, base: FileTree
) -> Iterator[tuple[str, AbstractSet[str]]]:
    """Yield the copied files and the names they most likely have in ``base``.

    The kernel does not say whose copy a file is. It is that of its own path, unless a file that
    is gone was just the same: then that one was renamed, and other names of what it replaced must
    not get its content.
    """
    gone: Mapping[tuple[int, int], list[Entry]] | None = None
    for path in sorted(upper.copied):
        if gone is None:
            if not base.linked_files():
                return
            gone = _gone(upper, base)
        entry = upper.found[path].entry
        twins = gone.get(_look(entry), ())
        digest = digest_of(f"{directory}/{path}") if twins else ""
        renamed = [twin.path for twin in twins if twin.digest == digest]
        yield f"{directory}/{path}", base.linked(renamed[0] if renamed else path)


def _gone(upper: UpperDirectory, base: FileTree) -> Mapping[tuple[int, int], list[Entry]]:
    gone: defaultdict[tuple[int, int], list[Entry]] = defaultdict(list)
    for path in upper.deleted(base):
        for entry in base.walk(path):
            if entry.kind == FILE:
                gone[_look(entry)].append(entry)
    return gone


def _look(entry: Entry) -> tuple[int, int]:
    return entry.size, entry.mtime // 1_000_000_000


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


class _FileHandle(ctypes.Structure):
    """struct file_handle of name_to_handle_at(2)."""

    _fields_ = (
        ("handle_bytes", ctypes.c_uint),
        ("handle_type", ctypes.c_int),
        ("f_handle", ctypes.c_ubyte * 128),
    )


def _handle(path: str) -> bytes | None:
    handle = _FileHandle(handle_bytes=128)
    mount = ctypes.c_int()
    libc = ctypes.CDLL(None)
    result = libc.name_to_handle_at(
        _AT_FDCWD, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount), 0
    )
    return None if result else bytes(handle.f_handle[: handle.handle_bytes])
