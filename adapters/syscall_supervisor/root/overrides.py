"""Root's access in spite of modes, if the step is a plain user for the kernel: under PRoot.

If modes deny their owner access to files and directories of the step's root, these are made
accessible for the duration of a call, which the supervisor makes itself (capabilities(7),
"CAP_DAC_OVERRIDE"). Calls of one step are answered one at a time, so no other call sees that mode.
Directories without search permission stay closed: PRoot itself cannot look up paths in them.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from img.adapters.linux import process_memory, syscalls
from img.adapters.linux.syscalls import AT_REMOVEDIR
from img.adapters.syscall_supervisor.dispatcher import Handler
from img.adapters.syscall_supervisor.listener import Listener, Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.creation import umask_of
from img.adapters.syscall_supervisor.root.identities import Identities
from img.adapters.syscall_supervisor.root.paths import Paths
from img.domain.dataclass import dataclass

_BENEATH = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_SYMLINKS
_PATH = os.O_PATH | os.O_NOFOLLOW
_INT = 0xFFFF_FFFF
_FLAGS = 0x7FFF_FFFF  # of open(2): bit 31 is no flag, and does not fit in a C int
_CREAT = os.O_CREAT | os.O_WRONLY | os.O_TRUNC  # of creat(2)
_MAKING = os.O_CREAT | os.O_EXCL
_OF_NAMES = _MAKING | os.O_NOFOLLOW
_RIGHTS = {os.O_RDONLY: os.R_OK, os.O_WRONLY: os.W_OK, os.O_RDWR: os.R_OK | os.W_OK}

_Place = tuple[int | None, int]
"""Indexes of the arguments with the directory of a path, None for the current, and the path."""


@dataclass(frozen=True, slots=True)
class _Name:
    """A name in a directory, which is open as O_PATH."""

    directory: int
    name: bytes


_Act = Callable[[Notification, Sequence[_Name]], None]
_HowToOpen = Callable[[Notification], Sequence[int]]
"""Returns the flags and the mode in the arguments of a call."""


class Overrides:
    """Wraps the handlers of calls; ``top`` is the path of the step's root."""

    def __init__(
        self, listener: Listener, identities: Identities, paths: Paths, top: bytes
    ) -> None:
        self._listener = listener
        self._identities = identities
        self._paths = paths
        self._top = top

    def around(self, handlers: Mapping[str, Handler]) -> Mapping[str, Handler]:
        """Return the handlers, with wrappers for the calls that modes may forbid to root."""
        changes: dict[str, tuple[tuple[_Place, ...], _Act]] = {
            "unlink": (((None, 0),), _unlink),
            "unlinkat": (((0, 1),), _unlinkat),
            "rmdir": (((None, 0),), _rmdir),
            "rename": (((None, 0), (None, 1)), _rename),
            "renameat": (((0, 1), (2, 3)), _rename),
            "link": (((None, 0), (None, 1)), _link),
            "linkat": (((0, 1), (2, 3)), _link),
            "mkdir": (((None, 0),), partial(_mkdir, 1)),
            "mkdirat": (((0, 1),), partial(_mkdir, 2)),
            "symlink": (((None, 1),), _symlink),
            "symlinkat": (((1, 2),), _symlink),
            "mknod": (((None, 0),), partial(_mknod, 1)),
            "mknodat": (((0, 1),), partial(_mknod, 2)),
        }
        wrapped: dict[str, Handler] = {
            name: partial(self._change, handlers[name], places, act)
            for name, (places, act) in changes.items()
        }
        opening: dict[str, tuple[_Place, _HowToOpen]] = {
            "open": ((None, 0), lambda call: call.arguments[1:3]),
            "openat": ((0, 1), lambda call: call.arguments[2:4]),
            "creat": ((None, 0), lambda call: (_CREAT, call.arguments[1])),
        }
        for name, (place, how) in opening.items():
            wrapped[name] = partial(self._open, handlers[name], place, how)
        asking: dict[str, _Place] = {"access": (None, 0), "faccessat": (0, 1)}
        for name, place in asking.items():
            wrapped[name] = partial(self._access, handlers[name], place)
        return {**handlers, **wrapped}

    def _change(
        self, handler: Handler, places: tuple[_Place, ...], act: _Act, call: Notification
    ) -> Answer:
        """Make directories writable for a call that changes names in them."""
        texts = [text for place in places if (text := self._text(call, place))]
        if len(texts) < len(places) or all(map(_may_change, texts)):
            return handler(call)
        with ExitStack() as opened:
            names = [opened.enter_context(self._name(text)) for text in texts]
            for each in names:
                opened.enter_context(_with_rights(each.directory, stat.S_IWUSR))
            given = handler(call)
            if given is not Reply.LET_PASS:
                return given
            try:
                act(call, names)
            except OSError as error:
                return self._refuse(call, error)
            return 0

    def _open(self, handler: Handler, place: _Place, how: _HowToOpen, call: Notification) -> Answer:
        """Open files without permission bits, and create files in directories without them."""
        flags, mode = how(call)
        flags &= _FLAGS
        text = self._text(call, place)
        if text is None or flags & os.O_PATH:
            return handler(call)
        try:
            status = os.lstat(text)
        except FileNotFoundError:
            if not flags & os.O_CREAT or _may_change(text):
                return handler(call)
            with self._name(text) as new, _with_rights(new.directory, stat.S_IWUSR):
                flags |= os.O_EXCL | os.O_NOFOLLOW
                return self._open_for(handler, call, new.name, flags, mode, new.directory)
        rights = _rights_for(flags)
        is_new = flags & _MAKING == _MAKING
        if is_new or not _is_openable(status.st_mode) or os.access(text, rights):
            return handler(call)
        with self._beneath(text) as found:
            if not _is_openable(os.fstat(found).st_mode):  # it was replaced meanwhile
                return handler(call)
            with _with_rights(found, rights << 6):
                return self._open_for(handler, call, _link_to(found), flags & ~_OF_NAMES, mode)

    def _open_for(
        self,
        handler: Handler,
        call: Notification,
        path: bytes,
        flags: int,
        mode: int,
        directory: int | None = None,
    ) -> Answer:
        """Open the file and hand it over, unless the handler answers."""
        given = handler(call)
        if given is not Reply.LET_PASS:
            return given
        mode &= 0o7777 & ~umask_of(call.pid)
        try:
            opened = os.open(path, flags | os.O_CLOEXEC, mode, dir_fd=directory)
        except OSError as error:
            return self._refuse(call, error)
        try:
            self._listener.hand_over(call, opened, inheritable=not flags & os.O_CLOEXEC)
        finally:
            os.close(opened)
        return Reply.SENT

    def _access(self, handler: Handler, place: _Place, call: Notification) -> Answer:
        """Answer that root may read and write any file, and execute executable files."""
        wanted = call.arguments[place[1] + 1] & 7
        text = self._text(call, place)
        if text is not None and wanted:
            with suppress(OSError):
                mode = os.stat(text).st_mode
                if not wanted & os.X_OK or stat.S_ISDIR(mode) or mode & 0o111:
                    given = handler(call)
                    return 0 if given is Reply.LET_PASS else given
        return handler(call)

    def _text(self, call: Notification, place: _Place) -> bytes | None:
        """Return a path of a caller that is root, below the step's root; None for any other."""
        if self._paths.strayed or self._identities.of(call.pid).user.filesystem:
            return None
        directory, path = place
        text = process_memory.read_text(call.pid, call.arguments[path]).rstrip(b"/")
        if directory is not None and text[:1] != b"/":
            return None
        name = text.rpartition(b"/")[2]
        is_below = text.startswith(self._top + b"/") and name not in (b".", b"..")
        return text if is_below else None

    @contextmanager
    def _name(self, text: bytes) -> Iterator[_Name]:
        parent, _, name = text.rpartition(b"/")
        with self._beneath(parent, os.O_PATH | os.O_DIRECTORY) as directory:
            yield _Name(directory, name)

    @contextmanager
    def _beneath(self, text: bytes, flags: int = _PATH) -> Iterator[int]:
        """Open a path in which PRoot has resolved all links; a link in it is an error."""
        top = os.open(self._top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            inside = os.fsdecode(text[len(self._top) + 1 :]) or "."
            found = syscalls.openat2(top, inside, flags, resolve=_BENEATH)
        finally:
            os.close(top)
        try:
            yield found
        finally:
            os.close(found)

    def _refuse(self, call: Notification, error: OSError) -> Answer:
        # The kernel, if it executed the call, would report the missing permission.
        self._listener.refuse(call, error.errno or errno.EIO)
        return Reply.SENT


def _may_change(text: bytes) -> bool:
    return os.access(text.rpartition(b"/")[0], os.W_OK)


def _is_openable(mode: int) -> bool:
    """Return whether open(2) of the file cannot wait for another process, as a FIFO's does."""
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _rights_for(flags: int) -> int:
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        return os.W_OK  # in the directory
    rights = _RIGHTS.get(flags & os.O_ACCMODE, os.R_OK | os.W_OK)
    return rights | os.W_OK if flags & os.O_TRUNC else rights


@contextmanager
def _with_rights(file: int, rights: int) -> Iterator[None]:
    """Give the owner ``rights``, bits of a mode, while the context lasts."""
    mode = stat.S_IMODE(os.fstat(file).st_mode)
    if mode & rights == rights:
        yield
        return
    os.chmod(_link_to(file), mode | rights)
    try:
        yield
    finally:
        os.chmod(_link_to(file), mode)


def _link_to(file: int) -> bytes:
    return b"self/fd/%d" % file


def _unlink(_: Notification, names: Sequence[_Name]) -> None:
    os.unlink(names[0].name, dir_fd=names[0].directory)


def _rmdir(_: Notification, names: Sequence[_Name]) -> None:
    os.rmdir(names[0].name, dir_fd=names[0].directory)


def _unlinkat(call: Notification, names: Sequence[_Name]) -> None:
    (_rmdir if call.arguments[2] & AT_REMOVEDIR else _unlink)(call, names)


def _rename(_: Notification, names: Sequence[_Name]) -> None:
    old, new = names
    os.rename(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)


def _link(_: Notification, names: Sequence[_Name]) -> None:
    old, new = names
    os.link(
        old.name,
        new.name,
        src_dir_fd=old.directory,
        dst_dir_fd=new.directory,
        follow_symlinks=False,
    )


def _mkdir(argument: int, call: Notification, names: Sequence[_Name]) -> None:
    mode = call.arguments[argument] & 0o7777 & ~umask_of(call.pid)
    os.mkdir(names[0].name, mode, dir_fd=names[0].directory)


def _symlink(call: Notification, names: Sequence[_Name]) -> None:
    text = process_memory.read_text(call.pid, call.arguments[0])
    os.symlink(text, names[0].name, dir_fd=names[0].directory)


def _mknod(argument: int, call: Notification, names: Sequence[_Name]) -> None:
    kind = stat.S_IFMT(call.arguments[argument] & _INT)
    mode = call.arguments[argument] & 0o7777 & ~umask_of(call.pid)
    os.mknod(names[0].name, kind | mode, dir_fd=names[0].directory)
