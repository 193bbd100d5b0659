"""Files of /proc for callers that have none.

This process has the step's root, so that links cannot lead out of it, and the outer /proc as its
working directory. Files that it opens there are handed to callers; directories are not.
"""

import errno
import os
import stat
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager

from img.adapters.linux import syscalls
from img.adapters.linux.syscalls import AT_FDCWD
from img.adapters.syscall_supervisor.listener import Listener, Notification
from img.adapters.syscall_supervisor.proc.callers import Callers, status_of
from img.adapters.syscall_supervisor.proc.places import (
    Place,
    is_in_dev,
    may_lead_to_proc,
    place_of,
)
from img.adapters.syscall_supervisor.proc.process_tree import ProcessTree
from img.adapters.syscall_supervisor.proc.skeleton import Kind, Skeleton
from img.adapters.syscall_supervisor.root.paths import from_process

_PATH = os.O_PATH | os.O_CLOEXEC
_AS_IT_IS = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_MAGICLINKS


class ProcFiles:
    """Finds the files for callers' paths.

    ``masked`` are paths below /proc that callers may not see; ``tables`` replaces files of
    processes, by their names. ``devices`` are O_PATH descriptors, by their names in /dev.
    """

    def __init__(
        self,
        listener: Listener,
        callers: Callers,
        tree: ProcessTree,
        skeleton: Skeleton,
        *,
        masked: Container[bytes],
        tables: Mapping[bytes, bytes],
        devices: Mapping[bytes, int],
    ) -> None:
        self._listener = listener
        self._callers = callers
        self._tree = tree
        self._skeleton = skeleton
        self._masked = masked
        self._devices = devices
        self._empty = _file_of(b"")
        self._tables = {name: _file_of(content) for name, content in tables.items()}
        self._entered = False  # a process may be in one of the directories, or have one open

    def place(self, call: Notification, directory: int, text: bytes, *, follow: bool) -> Place:
        """Return the place that a path leads to, in /proc or one of the devices.

        Raises LookupError if it is none of them.
        """
        if self._devices and (device := self._device(call, directory, text)):
            return Place(None, b"", device=device)
        if text[:1] == b"/":
            if not may_lead_to_proc(text):
                raise LookupError
        elif not text or not (self._entered or b"proc" in text):
            raise LookupError
        else:
            text = b"%s/%s" % (_link(from_process(call.pid, directory)), text)
            if not may_lead_to_proc(text):
                raise LookupError
        process = int(status_of(call.pid)[b"Tgid"])
        found = place_of(text, process, call.pid, follow=follow)
        if found is None:
            raise LookupError
        return found

    @contextmanager
    def reach(self, call: Notification, place: Place, *, follow: bool = True) -> Iterator[int]:
        """Open a place as O_PATH: directories of the skeleton, other files of the real /proc.

        ``follow`` a link at the end of ``place.rest``. Raises OSError.
        """
        if place.device:
            yield self._devices[place.device]
            return
        if place.rest:
            with self.behind(call, place) as base:
                flags = _PATH | (0 if follow else os.O_NOFOLLOW)
                with _closing(os.open(place.rest, flags, dir_fd=base)) as found:
                    yield found
            return
        with self._base(call, place) as base:
            replacement = self._replacement(place)
            found = _open_below(base, place) if replacement is None else replacement
            with _closing(found):
                status = os.fstat(found)
                if place.link or not stat.S_ISDIR(status.st_mode):
                    yield found
                    return
            with _closing(self._named(place, status)) as named:
                yield named

    @contextmanager
    def behind(self, call: Notification, place: Place) -> Iterator[int]:
        """Open the directory that ``place.rest`` starts from, as O_PATH. Raises OSError."""
        with self._base(call, place) as base, _closing(_open_below(base, place)) as found:
            yield found

    @contextmanager
    def start(self, call: Notification, directory: int, text: bytes) -> Iterator[int]:
        """Open, as O_PATH, the start of the path ``text`` of a new file. Raises OSError."""
        try:
            self.place(call, directory, text, follow=False)
        except LookupError:
            link = b"/" if text[:1] == b"/" else from_process(call.pid, directory)
        else:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        with _closing(os.open(link, _PATH | os.O_DIRECTORY)) as found:
            if not self._listener.is_waiting(call):
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
            yield found

    def list(self, call: Notification, place: Place) -> int:
        """Return a directory with all names in it; the caller closes it. Raises OSError."""
        self._entered = True
        with self._base(call, place) as base, _closing(_open_below(base, place)) as found:
            names = {} if self._is_masked(place) else _names_in(found)
            status = os.fstat(found)
        if not place.whole:
            names = {name: kind for name, kind in names.items() if not name.isdigit()}
            names |= {b"%d" % pid: Kind.DIRECTORY for pid in self._tree.members()}
        with self._callers.as_root():
            directory = self._skeleton.directory(place.whole, status.st_uid, status.st_gid)
            self._skeleton.fill(directory, names)
        return directory

    def make_real(self, call: Notification, place: Place, process: int) -> None:
        """Create directories and links so that the kernel can look up ``place``.

        /proc/self then exists for one process at a time, the last caller.
        """
        self._entered = True
        with self.reach(call, place), self._callers.as_root():
            if place.link:
                self._skeleton.link(place.whole, _link(place.whole))
            self._skeleton.link(b"self", b"%d" % process)

    @contextmanager
    def _base(self, call: Notification, place: Place) -> Iterator[int]:
        """Open the parent directory of ``place.path``, and check that its process is the same."""
        if place.process is None:
            if self._is_masked(place) and b"/" in place.path:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            yield AT_FDCWD
            return
        with _closing(os.open(b"%d" % place.process, _PATH | os.O_DIRECTORY)) as base:
            if not self._is_own(call, place.process):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            yield base

    def _device(self, call: Notification, directory: int, text: bytes) -> bytes:
        """Return the name of the device that a path names, "" if it names none."""
        name = text.rpartition(b"/")[2]
        if name not in self._devices:
            return b""
        if text[:1] != b"/":
            text = b"%s/%s" % (_link(from_process(call.pid, directory)), text)
        return name if is_in_dev(text, name) else b""

    def _is_own(self, call: Notification, process: int) -> bool:
        if process == call.pid:
            return self._listener.is_waiting(call)
        return self._tree.has(process)

    def _is_masked(self, place: Place) -> bool:
        return place.process is None and place.path.partition(b"/")[0] in self._masked

    def _replacement(self, place: Place) -> int | None:
        if self._is_masked(place) and not stat.S_ISDIR(os.stat(place.path).st_mode):
            return os.dup(self._empty)
        if place.process is None or place.link:
            return None
        table = self._tables.get(place.path.rpartition(b"/")[2])
        return os.dup(table) if table is not None else None

    def _named(self, place: Place, status: os.stat_result) -> int:
        with self._callers.as_root():
            return self._skeleton.directory(place.whole, status.st_uid, status.st_gid)


def _open_below(base: int, place: Place) -> int:
    if place.link:
        return os.open(place.path, _PATH, dir_fd=base)
    path = os.fsdecode(place.path) or "."
    return syscalls.openat2(base, path, os.O_PATH | os.O_NOFOLLOW, resolve=_AS_IT_IS)


def _names_in(directory: int) -> dict[bytes, Kind | bytes]:
    names: dict[bytes, Kind | bytes] = {}
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    with (
        _closing(os.open(b"self/fd/%d" % directory, flags)) as readable,
        os.scandir(readable) as entries,
    ):
        for entry in entries:
            name = os.fsencode(entry.name)
            if entry.is_symlink():
                names[name] = _text_of(name, readable)
            else:
                names[name] = Kind.DIRECTORY if entry.is_dir() else Kind.FILE
    return names


def _text_of(name: bytes, directory: int) -> bytes:
    try:
        return _link(name, directory)
    except OSError:  # gone, or this user may not see it
        return b"?"


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _link(path: bytes, directory: int | None = None) -> bytes:
    return os.readlink(path, dir_fd=directory)


def _file_of(content: bytes) -> int:
    file = os.memfd_create("img-proc", os.MFD_CLOEXEC)
    os.write(file, content)
    os.fchmod(file, 0o444)
    return file
