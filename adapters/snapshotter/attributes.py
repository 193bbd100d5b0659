"""File attributes, set from entries or copied from other files."""

import contextlib
import hashlib
import os

from img.adapters.storage.file_entries import open_file, xattr_names
from img.adapters.storage.owner_records import CAPABILITY_KEPT
from img.adapters.storage.ownership import Ownership
from img.domain.errors import BuildError
from img.domain.filesystem.changes import is_kept_xattr
from img.domain.filesystem.entry import (
    HARDLINK,
    Entry,
)
from img.domain.filesystem.file_index import WHITEOUT_PREFIX, FileIndex


class PathTooLong(BuildError):
    """A step made a path that is longer than the kernel's limit (PATH_MAX)."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"a path in the root file system is too long: /{path[:80]}…",
            hint="directories nested deeper than 4096 bytes cannot be kept in a layer",
        )


def set_directory(path: str, entry: Entry, ownership: Ownership) -> None:
    """Give the directory at ``path`` the owner, mode, xattrs and mtime of ``entry``."""
    ownership.give(path, entry.uid, entry.gid)
    os.chmod(path, entry.mode)
    for name, value in entry.xattrs:
        if is_kept_xattr(name):
            os.setxattr(path, name, value)
    os.utime(path, ns=(entry.mtime, entry.mtime))


def copy_attributes(
    source: str, target: str, ownership: Ownership, owners: Ownership | None = None
) -> None:
    """Give ``target`` the owner, mode, kept xattrs and times of ``source``; neither is a link.

    ``owners`` is the source's ownership if it is another.
    """
    status = os.lstat(source)
    names = xattr_names(source)
    ownership.give(target, *(owners or ownership).of(source, status, names))
    for name in names:
        if is_kept_xattr(name) or name == CAPABILITY_KEPT:
            os.setxattr(target, name, os.getxattr(source, name))
    # After chown, which removes the set-user-ID bit, and after changes that need write permission.
    os.chmod(target, status.st_mode & 0o7777)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def set_times(directory: str, layer: FileIndex) -> list[str]:
    """Set the mtimes of files to those in ``layer``, and return the files that had others.

    Layers have whole seconds, and may be older than the files of a step (SOURCE_DATE_EPOCH); a
    later step has to see the same times as after unpacking.
    """
    changed = []
    for entry in layer:
        if entry.kind == HARDLINK or entry.path.rpartition("/")[2].startswith(WHITEOUT_PREFIX):
            continue
        path = f"{directory}/{entry.path}" if entry.path else directory
        with contextlib.suppress(FileNotFoundError):
            status = os.lstat(path)
            if status.st_mtime_ns != entry.mtime:
                os.utime(path, ns=(status.st_atime_ns, entry.mtime), follow_symlinks=False)
                changed.append(entry.path)
    return changed


def digest_of(path: str) -> str:
    """Return the sha256 hex of a file's content."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
