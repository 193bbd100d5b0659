"""Unpacking of a layer: no entry can reach files outside of one directory.

Each directory on the way is opened by itself, relative to the one above and without following
links; links are read and resolved here. This protects on any kernel, and is as fast as
openat2(RESOLVE_IN_ROOT), because descriptors of parents are cached.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import BinaryIO, Self

from img.adapters.layer_archive import metadata
from img.adapters.layer_archive.directories import Directories, file_name
from img.adapters.layer_archive.inherited import NOTHING_INHERITED, inherited_in
from img.adapters.storage.ownership import Ownership
from img.application.ports.blob_store import StoreFull
from img.application.ports.layer_archive import InvalidLayer, UnpackRefused
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
)
from img.domain.filesystem.file_index import OPAQUE_WHITEOUT, WHITEOUT_PREFIX
from img.domain.filesystem.file_name import is_tree_path

_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 1 << 20
# The layer has a file that no file system can store, or that would lead out of the directory.
_FAULTS_OF_THE_LAYER = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.ENOENT, errno.EXDEV}


class Extraction:
    """One layer that is being unpacked into one directory."""

    def __init__(
        self,
        root: str,
        *,
        overlay: bool,
        place: Callable[[str], str],
        implied: Callable[[str], Entry | None],
        below: Callable[[str], tuple[Entry, BinaryIO] | None],
        ownership: Ownership,
    ) -> None:
        self._overlay = overlay
        self._below = below
        self._ownership = ownership
        self._inherited = inherited_in(root, ownership) if overlay else NOTHING_INHERITED
        self._directories = Directories(
            root, overlay=overlay, place=place, implied=implied, ownership=ownership
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._directories.close()

    def add(self, entry: Entry, content: Iterable[memoryview]) -> None:
        """Create the file of ``entry``. Raises InvalidLayer, UnpackRefused, StoreFull."""
        try:
            self._add(entry, content)
        except OSError as error:
            raise _failure(entry, error) from error

    def finish(self) -> None:
        """Set owners, modes, xattrs and times of the directories."""
        try:
            self._directories.finish()
        except OSError as error:
            raise _failure(Entry("", DIRECTORY), error) from error

    def _add(self, entry: Entry, content: Iterable[memoryview]) -> None:
        if not is_tree_path(entry.path):
            raise InvalidLayer(f"{entry.path!a} cannot be the path of a file")
        if "\0" in entry.link:
            raise InvalidLayer(f"/{entry.path} is a link to {entry.link!a}, which cannot be")
        directory, _, name = entry.path.rpartition("/")
        if name.startswith(WHITEOUT_PREFIX):
            self._white_out(directory, name)
            return
        if entry.kind == DIRECTORY:
            self._directories.add(entry)
            return
        parent = self._directories.find(directory)
        path = f"{parent}/{name}" if parent else name
        if entry.kind == HARDLINK:
            self._link(entry, parent, path)
        else:
            self._make(entry, parent, path, content)
        self._directories.record_created(path)

    def _make(self, entry: Entry, parent: str, path: str, content: Iterable[memoryview]) -> None:
        at = self._directories.open(parent)
        name = file_name(path)
        try:
            self._make_at(at, name, entry, content)
        except FileExistsError:
            self._directories.remove(path)
            self._make_at(self._directories.open(parent), name, entry, content)

    def _make_at(self, at: int, name: bytes, entry: Entry, content: Iterable[memoryview]) -> None:
        if entry.kind == FILE:
            self._make_file(at, name, entry, content)
        else:
            _MAKERS[entry.kind](entry, at, name, self._ownership)

    def _make_file(self, at: int, name: bytes, entry: Entry, content: Iterable[memoryview]) -> None:
        complete = self._inherited.completes(entry)
        file = os.open(name, _NEW_FILE, entry.mode if complete else 0o600, dir_fd=at)
        try:
            for piece in content:
                written = os.write(file, piece)
                while written < len(piece):
                    written += os.write(file, piece[written:])
            if complete:
                os.utime(file, ns=(entry.mtime, entry.mtime))
            else:
                metadata.set_all(file, entry, self._ownership)
        finally:
            os.close(file)

    def _link(self, entry: Entry, parent: str, path: str) -> None:
        target = self._target(entry)
        if target == path:
            return
        name, target_name = file_name(path), file_name(target)
        if self._directories.status(path) is not None:
            self._directories.remove(path)
        os.link(
            target_name,
            name,
            src_dir_fd=self._directories.open(paths.parent(target)),
            dst_dir_fd=self._directories.open(parent),
            follow_symlinks=False,
        )

    def _target(self, entry: Entry) -> str:
        """Return the target of a hard link, copied up from a lower layer if necessary."""
        directory = self._directories.find_existing(paths.parent(entry.link))
        if directory is not None:
            target = (
                f"{directory}/{paths.name(entry.link)}" if directory else paths.name(entry.link)
            )
            status = self._directories.status(target)
            if status is not None and not stat.S_ISDIR(status.st_mode):
                if not (self._overlay and metadata.is_whiteout(status)):
                    return target
            elif (
                status is None and self._overlay and self._directories.below.is_name_visible(target)
            ):
                found = self._below(target)
                if found is not None and found[0].kind != DIRECTORY:
                    self._copy_up(*found, target)
                    return target
        raise InvalidLayer(f"/{entry.path} is a hard link to /{entry.link}, which is missing")

    def _copy_up(self, entry: Entry, content: BinaryIO, path: str) -> None:
        # As overlayfs does for link(2): both names are then in this layer, and share an inode.
        with content:
            pieces = iter(lambda: memoryview(content.read(_PIECE)), b"")
            self._make(entry, paths.parent(path), path, pieces)
        self._directories.record_created(path)

    def _white_out(self, directory: str, name: str) -> None:
        parent = self._directories.find_existing(directory)
        if parent is None:
            return  # there is no file to hide
        if name == OPAQUE_WHITEOUT:
            self._directories.make_opaque(parent)
        else:
            hidden = name.removeprefix(WHITEOUT_PREFIX)
            self._directories.hide(f"{parent}/{hidden}" if parent else hidden)


def _make_symlink(entry: Entry, at: int, name: bytes, owned: Ownership) -> None:
    os.symlink(entry.link.encode("utf-8", "surrogateescape"), name, dir_fd=at)
    metadata.set_all_but_mode(at, name, entry, owned)


def _make_fifo(entry: Entry, at: int, name: bytes, owned: Ownership) -> None:
    os.mkfifo(name, 0o600, dir_fd=at)
    metadata.set_all_but_mode(at, name, entry, owned)
    os.chmod(name, entry.mode, dir_fd=at)  # just created: it is no link


def _make_device(entry: Entry, at: int, name: bytes, owned: Ownership) -> None:
    if entry.kind == CHARACTER and entry.device == (0, 0):
        raise InvalidLayer(f"/{entry.path} is a device 0:0, which hides files in overlays")
    kind = stat.S_IFCHR if entry.kind == CHARACTER else stat.S_IFBLK
    try:
        os.mknod(name, kind | 0o600, os.makedev(*entry.device), dir_fd=at)
    except PermissionError:
        _make_placeholder(entry, at, name, owned)
        return
    if owned.restricts_device(entry.kind, entry.device):
        entry = entry._replace(mode=entry.mode & 0o600, uid=0, gid=0, xattrs=())  # without ACLs
    metadata.set_all_but_mode(at, name, entry, owned)
    os.chmod(name, entry.mode, dir_fd=at)


def _make_placeholder(entry: Entry, at: int, name: bytes, owned: Ownership) -> None:
    """Create an empty file that stands for a device.

    User namespaces may not create devices. containerd leaves them out of layers that have some;
    with a placeholder the build does too, and can tell it from a device that a step removed.
    """
    file = os.open(name, _NEW_FILE, 0o600, dir_fd=at)
    try:
        owned.record_device(file, metadata.device_text(entry))
        metadata.set_all(file, entry, owned)
    finally:
        os.close(file)


_MAKERS: dict[str, Callable[[Entry, int, bytes, Ownership], None]] = {
    SYMLINK: _make_symlink,
    FIFO: _make_fifo,
    CHARACTER: _make_device,
    BLOCK: _make_device,
}


def _failure(entry: Entry, error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(
            "no room left to unpack a layer", hint="run `img prune`, or free some disk"
        )
    what = f"/{entry.path} cannot be unpacked: {error.strerror}"
    if error.errno in _FAULTS_OF_THE_LAYER:
        return InvalidLayer(what)
    return UnpackRefused(
        f"{what} (a {_NAMES[entry.kind]} of {entry.uid}:{entry.gid})",
        hint="`img doctor` tells which owners and files this machine allows",
    )


_NAMES = {
    FILE: "file",
    DIRECTORY: "directory",
    SYMLINK: "symbolic link",
    HARDLINK: "hard link",
    CHARACTER: "character device",
    BLOCK: "block device",
    FIFO: "FIFO",
}
