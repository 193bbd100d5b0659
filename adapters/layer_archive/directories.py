"""The directories of a layer that is being unpacked."""

import os
import stat
from collections.abc import Callable

from img.adapters.layer_archive import metadata
from img.adapters.layer_archive.below import LayersBelow
from img.adapters.linux.syscalls import OPAQUE_XATTR
from img.adapters.storage.ownership import Ownership
from img.application.ports.layer_archive import InvalidLayer
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.file_name import is_file_name

_PATH = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_OPEN = 64
_MOST_LINKS = 255  # the limit of domain.filesystem.tree


class Directories:
    """Finds, creates and empties directories below one root, never outside it.

    A path is *placed* if no component but the last may be a link: it is the real location.
    """

    def __init__(
        self,
        root: str,
        *,
        overlay: bool,
        place: Callable[[str], str],
        implied: Callable[[str], Entry | None],
        ownership: Ownership,
    ) -> None:
        self._ownership = ownership
        self.below = LayersBelow(place, implied)
        self._overlay = overlay
        self._open = {"": os.open(root, _PATH)}  # placed path -> descriptor, the oldest first
        self._places = {"": ""}  # path of a directory in entries -> its placed path
        self._links: set[str] = set()  # placed links on the way to values of _places
        self._created: set[str] = set()  # placed paths that this layer created
        self._metadata: dict[str, Entry] = {}  # of this layer's directories, set at the end
        self._kept: dict[str, int] = {}  # mtimes of directories that existed before
        self._implied_paths: set[str] = set()  # keys of _metadata without an entry in this layer

    def close(self) -> None:
        """Close all cached descriptors."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def open(self, placed: str) -> int:
        """Return a descriptor for the directory; valid until the next call of ``find``."""
        descriptor = self._open.get(placed)
        if descriptor is not None:
            return descriptor
        todo = []
        while placed not in self._open:
            todo.append(placed)
            placed = paths.parent(placed)
        descriptor = self._open[placed]
        for path in reversed(todo):
            descriptor = os.open(file_name(path), _PATH, dir_fd=descriptor)
            self._open[path] = descriptor
        return descriptor

    def status(self, placed: str) -> os.stat_result | None:
        """Return the status of the file at the placed path, None if there is none."""
        try:
            return os.stat(
                file_name(placed),
                dir_fd=self.open(paths.parent(placed)),
                follow_symlinks=False,
            )
        except FileNotFoundError:
            return None

    def record_created(self, placed: str) -> None:
        """Record that this layer created the file at the placed path."""
        self._created.add(placed)
        if placed in self._links:
            self._forget_places()

    def find(self, directory: str) -> str:
        """Return the placed path of ``directory``, a path in entries; create missing directories.

        Links are followed. Raises InvalidLayer for links in a circle.
        """
        placed = self._find(directory, make=True)
        assert placed is not None
        return placed

    def find_existing(self, directory: str) -> str | None:
        """Return the placed path of ``directory``, None if no layer has it."""
        return self._find(directory, make=False)

    def _find(self, directory: str, *, make: bool) -> str | None:
        if len(self._open) > _MOST_OPEN:
            self._close_oldest()
        placed = self._places.get(directory)
        if placed is None:
            placed = self._resolve(directory, make=make)
            if placed is None:
                return None
            self._places[directory] = placed
        self._keep_mtime(placed)
        return placed

    def add(self, entry: Entry) -> None:
        """Create the directory of an entry; an existing one stays and gets its metadata."""
        if not entry.path:
            self._metadata[""] = entry
            return
        parent = self.find(paths.parent(entry.path))
        name = paths.name(entry.path)
        path = f"{parent}/{name}" if parent else name
        status = self._make(path)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            self._replace(path)
        self._metadata[path] = entry
        self._implied_paths.discard(path)
        self.record_created(path)

    def remove(self, path: str) -> None:
        """Remove the file at the placed ``path``, or a directory with its content."""
        at, name = self.open(paths.parent(path)), file_name(path)
        status = os.stat(name, dir_fd=at, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            _remove_directory(at, name)
            self._forget(path)
        else:
            os.unlink(name, dir_fd=at)
            self._created.discard(path)
            if path in self._links:
                self._forget_places()

    def hide(self, path: str) -> None:
        """Apply a whiteout to the placed ``path``. Files of this layer itself stay."""
        status = self.status(path)
        if self._overlay:
            self._hide_below(path, status)
        elif status is not None:
            self._remove_lower(path, status)
        if path in self._implied_paths:
            self._metadata[path] = Entry(path, DIRECTORY, 0o755)
        self.below.hide(path)

    def make_opaque(self, path: str) -> None:
        """Hide the content that lower layers have in the placed directory ``path``.

        The kernel ignores the mark on the root of a layer: there the caller must leave the lower
        layers out of the mount.
        """
        if self._overlay:
            self._mark_opaque(path)
        else:
            self._remove_lower_children(path)
        self.below.hide_names_in(path)

    def finish(self) -> None:
        """Set the metadata that creating files in the directories would change."""
        if self._overlay and "" not in self._metadata:
            self._metadata[""] = self._implied("")
        for path in sorted(self._metadata.keys() | self._kept.keys(), reverse=True):
            if len(self._open) > _MOST_OPEN:
                self._close_oldest()
            descriptor = self._open_to_read(path)
            try:
                self._set_metadata(path, descriptor)
            finally:
                os.close(descriptor)

    def _set_metadata(self, path: str, descriptor: int) -> None:
        entry = self._metadata.get(path)
        if entry is None:
            os.utime(descriptor, ns=(self._kept[path], self._kept[path]))
            return
        metadata.set_all(descriptor, entry, self._ownership)
        if not self._overlay:
            metadata.remove_other_xattrs(descriptor, entry)

    def _resolve(self, directory: str, *, make: bool) -> str | None:
        todo = directory.split("/")[::-1]
        done = ""
        links = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done = paths.parent(done)
                continue
            here = f"{done}/{part}" if done else part
            status = self.status(here)
            link = self._link_at(here, status)
            if link is not None:
                links += 1
                if links > _MOST_LINKS:
                    raise InvalidLayer(f"too many levels of symbolic links at /{directory}")
                self._links.add(here)
                if link.startswith("/"):
                    done = ""
                todo += link.split("/")[::-1]
            elif self._enter(here, status, make=make):
                done = here
            else:
                return None
        return done

    def _link_at(self, here: str, status: os.stat_result | None) -> str | None:
        """Return the target of a link at the placed ``here``, None if there is no link."""
        if status is not None:
            if not stat.S_ISLNK(status.st_mode):
                return None
            link = os.readlink(file_name(here), dir_fd=self.open(paths.parent(here)))
            return link.decode("utf-8", "surrogateescape")
        return self.below.link_at(here) if self._overlay else None

    def _enter(self, here: str, status: os.stat_result | None, *, make: bool) -> bool:
        """Ensure that there is a directory at the placed ``here``; tell whether there is one."""
        if status is not None and stat.S_ISDIR(status.st_mode):
            return True
        if not make and (status is not None or not self._overlay or not self.below.directory(here)):
            return False
        self._keep_mtime(paths.parent(here))
        if status is None:
            self._make(here)
        else:
            self._replace(here)
        self._metadata[here] = self._implied(here)
        self._implied_paths.add(here)
        self.record_created(here)
        return True

    def _implied(self, path: str) -> Entry:
        return self.below.directory(path) or Entry(path, DIRECTORY, 0o755)

    def _make(self, path: str) -> os.stat_result | None:
        """Create a directory, or return the status of the existing file."""
        try:
            os.mkdir(file_name(path), 0o700, dir_fd=self.open(paths.parent(path)))
        except FileExistsError:
            return self.status(path)
        return None

    def _replace(self, path: str) -> None:
        """Replace a file or a whiteout by a directory."""
        self.remove(path)
        self._make(path)
        # Any file that this layer put there also hid a lower directory.
        self.below.hide(path)
        if self._overlay:
            self._mark_opaque(path)

    def _hide_below(self, path: str, status: os.stat_result | None) -> None:
        if status is not None:
            if not stat.S_ISDIR(status.st_mode):
                return
            self._mark_opaque(path)
            if not self._is_unused(path):
                return
            self.remove(path)
        parent = paths.parent(path)
        # In a directory that only one layer has, the kernel lists whiteouts as files.
        if self.below.is_content_visible(parent) and (not parent or self.below.directory(parent)):
            name = file_name(path)
            os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=self.open(parent))

    def _mark_opaque(self, path: str) -> None:
        descriptor = self._open_to_read(path)
        try:
            os.setxattr(descriptor, OPAQUE_XATTR, b"y")
        finally:
            os.close(descriptor)
        self._drop_whiteouts(path)

    def _drop_whiteouts(self, path: str) -> None:
        """Remove the whiteouts below ``path``, and directories without other content."""
        for name in self._names(path):
            child = f"{path}/{name}" if path else name
            status = self.status(child)
            if status is not None and metadata.is_whiteout(status):
                self.remove(child)
            elif status is not None and stat.S_ISDIR(status.st_mode):
                self._drop_whiteouts(child)
                if self._is_unused(child):
                    self.remove(child)

    def _is_unused(self, path: str) -> bool:
        return path in self._implied_paths and not self._names(path)

    def _remove_lower(self, path: str, status: os.stat_result) -> None:
        """Remove the file at ``path`` and its content, except for files of this layer."""
        if not stat.S_ISDIR(status.st_mode):
            if path not in self._created:
                self.remove(path)
            return
        if path in self._created:
            self._remove_lower_children(path)
            return
        if self._may_hold_own(path):
            self._remove_lower_children(path)
            if self._names(path):
                self._metadata[path] = Entry(path, DIRECTORY, 0o755)
                return
        self.remove(path)

    def _remove_lower_children(self, path: str) -> None:
        for name in self._names(path):
            child = f"{path}/{name}" if path else name
            status = self.status(child)
            if status is not None:
                self._remove_lower(child, status)

    def _may_hold_own(self, path: str) -> bool:
        below = f"{path}/"
        return any(
            used == path or used.startswith(below)
            for known in (self._kept, self._metadata)
            for used in known
        )

    def _names(self, path: str) -> list[str]:
        descriptor = self._open_to_read(path)
        try:
            return [_text(name) for name in os.listdir(descriptor)]
        finally:
            os.close(descriptor)

    def _keep_mtime(self, placed: str) -> None:
        if placed not in self._kept and placed not in self._metadata:
            self._kept[placed] = os.stat(self.open(placed)).st_mtime_ns

    def _open_to_read(self, path: str) -> int:
        if not path:
            return os.open(".", _READ, dir_fd=self.open(""))
        return os.open(file_name(path), _READ, dir_fd=self.open(paths.parent(path)))

    def _forget(self, path: str) -> None:
        """Drop all cached data about ``path`` and the paths below it."""
        below = f"{path}/"
        for paths_known in (self._created, self._implied_paths):
            paths_known -= {each for each in paths_known if f"{each}/".startswith(below)}
        for known in (self._metadata, self._kept):
            for each in [each for each in known if f"{each}/".startswith(below)]:
                del known[each]
        self._forget_places()

    def _forget_places(self) -> None:
        self._places = {"": ""}
        self._links = set()
        root = self._open.pop("")
        self.close()
        self._open[""] = root

    def _close_oldest(self) -> None:
        for path in list(self._open)[1 : _MOST_OPEN // 2]:
            os.close(self._open.pop(path))


def _remove_directory(at: int, name: bytes) -> None:
    descriptor = os.open(name, _READ, dir_fd=at)
    try:
        for child in os.listdir(descriptor):
            child_name = os.fsencode(child)
            status = os.stat(child_name, dir_fd=descriptor, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                _remove_directory(descriptor, child_name)
            else:
                os.unlink(child_name, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=at)


def file_name(path: str) -> bytes:
    """Return the last component of a placed ``path``, encoded for the kernel.

    Raises InvalidLayer for a name that would lead out of its directory.
    """
    name = path.rpartition("/")[2]
    if not is_file_name(name):
        raise InvalidLayer(f"/{path!a} cannot be the name of a file")
    return name.encode("utf-8", "surrogateescape")


def _text(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "surrogateescape")
