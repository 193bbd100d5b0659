"""The supervisor's own paths for the paths of callers.

The supervisor has the root of the step, and the outer /proc as its working directory. So an
absolute path stays the same, and every other path starts from a link in /proc: ``PID/cwd``,
``PID/fd/N``.

From the outer /proc, paths may lead to the files of the host: by "..", by links to the supervisor's
open files, by links to the roots of other processes. So a caller's text is only ever appended to
such a link of the caller; and if the step itself has the outer /proc, its links are not followed at
all (``strayed``).
"""

import ctypes
import errno
import os
import re

from img.adapters.linux import syscalls
from img.adapters.linux.syscalls import AT_FDCWD
from img.adapters.syscall_supervisor.listener import Listener, Notification

_PATH = os.O_PATH | os.O_CLOEXEC
# A path through a caller's own /proc: a link, and the rest of the path.
_OWN = re.compile(
    rb"/(?:dev|proc/self|proc/thread-self)/(fd/\d{1,9})(?:/(.*))?"
    rb"|/proc/(?:self|thread-self)/(cwd|root)(?:/(.*))?",
    re.DOTALL,
)
_STREAMS = {b"/dev/stdin": b"fd/0", b"/dev/stdout": b"fd/1", b"/dev/stderr": b"fd/2"}
_LED_THROUGH_PROC = (errno.ENOENT, errno.ELOOP, errno.EXDEV)


class Paths:
    """Finds files of callers; ``release`` closes the descriptors that were needed."""

    def __init__(self, listener: Listener, *, strayed: bool = False) -> None:
        self._listener = listener
        self._opened: list[int] = []
        # A process may have another root, or the outer /proc in it.
        self.strayed = strayed

    def release(self) -> None:
        """Close everything that was opened for a call."""
        while self._opened:
            os.close(self._opened.pop())

    def find(
        self, call: Notification, directory: int, text: bytes, *, follow: bool = True
    ) -> bytes:
        """Return the path of a file; with an empty ``text`` that of ``directory`` itself."""
        if self.strayed:
            start = from_process(call.pid, directory)
            return self._find_anywhere(call, start, text, follow=follow)
        return text if text[:1] == b"/" else from_process(call.pid, directory, text)

    def find_to_change(
        self, call: Notification, directory: int, text: bytes, *, follow: bool = True
    ) -> bytes:
        """Return a path to a file that stays valid if another process gets the caller's pid.

        Raises ProcessLookupError if the caller is gone.
        """
        where = self.find(call, directory, text, follow=follow)
        if where[:1] == b"/" or where.startswith(b"self/"):
            return where
        base, _, rest = _split(where)
        held = self._open_target(call, base)
        return b"%s/%s" % (held, rest) if rest else held

    def find_own(self, call: Notification, text: bytes, *, follow: bool) -> bytes | None:
        """Return the file at a path through the caller's own /proc; None for other paths.

        The step's /proc does not contain the supervisor, so "self" does not exist there for it.
        """
        found = _OWN.fullmatch(text)
        link, rest = (found[1] or found[3], found[2] or found[4]) if found else (None, None)
        link = _STREAMS.get(text, link)
        if link is None or not (follow or rest):
            return None
        held = self._open_target(call, b"%d/%s" % (call.pid, link))
        return self._behind(held, rest, follow=follow) if rest else held

    def place(self, call: Notification, directory: int, text: bytes) -> bytes:
        """Return the path for a new file, with the parent directory that the caller means."""
        if not self.strayed:
            return self.find_to_change(call, directory, text)
        return self._place_anywhere(call, from_process(call.pid, directory), text)

    def place_beside(self, call: Notification, where: bytes, text: bytes) -> bytes:
        """Return the path for a new file, given the text of a link that is at ``where``."""
        if text[:1] == b"/":
            return self.place(call, AT_FDCWD, text)
        parent = where.rpartition(b"/")[0] or b"/"
        if not self.strayed:
            return b"%s/%s" % (parent, text)
        return self._place_anywhere(call, parent, text)

    def _place_anywhere(self, call: Notification, start: bytes, text: bytes) -> bytes:
        parent, _, name = text.rpartition(b"/")
        parent = parent or (b"/" if text[:1] == b"/" else b".")
        return b"%s/%s" % (self._find_anywhere(call, start, parent, follow=True), name)

    def _find_anywhere(
        self, call: Notification, start: bytes, text: bytes, *, follow: bool
    ) -> bytes:
        """Find a file by the caller's own root, which takes three more calls.

        ``start`` is the link in /proc that a relative ``text`` starts from.
        """
        top = os.readlink(b"%d/root" % call.pid)
        inside: bytes | None = text
        if text[:1] != b"/":
            inside = _below(top, os.readlink(start))
        if not text:
            return start
        if inside is None:  # a descriptor from outside of the root
            return self._behind(self._open_target(call, start), text, follow=follow)
        if text[:1] != b"/":
            inside = b"%s/%s" % (inside, text)
        root = os.open(b"%d/root" % call.pid, _PATH)
        try:
            return self._hold(syscalls.openat2(root, os.fsdecode(inside), _flags(follow=follow)))
        finally:
            os.close(root)

    def _behind(self, start: bytes, text: bytes, *, follow: bool) -> bytes:
        """Find the file at ``text`` from ``start``, without following links of any /proc."""
        base = os.open(start, _PATH)
        try:
            found = syscalls.openat2(
                base,
                os.fsdecode(text),
                _flags(follow=follow),
                resolve=syscalls.RESOLVE_NO_MAGICLINKS,
            )
        finally:
            os.close(base)
        return self._hold(found)

    def _open_target(self, call: Notification, link: bytes) -> bytes:
        """Open the target of a caller's link. Raises ProcessLookupError."""
        held = self._hold(os.open(link, _PATH))
        if not self._listener.is_waiting(call):
            raise ProcessLookupError
        return held

    def _hold(self, descriptor: int) -> bytes:
        self._opened.append(descriptor)
        return b"self/fd/%d" % descriptor


def may_lead_through_proc(error: OSError) -> bool:
    """Tell whether ``error`` is typical for a path through the caller's own /proc."""
    return error.errno in _LED_THROUGH_PROC


def _flags(*, follow: bool) -> int:
    return os.O_PATH | (0 if follow else os.O_NOFOLLOW)


def from_process(pid: int, directory: int, text: bytes = b"") -> bytes:
    """Return the path below /proc for a process' directory or descriptor, followed by ``text``."""
    number = ctypes.c_int(directory & 0xFFFF_FFFF).value
    base = b"%d/cwd" % pid if number == AT_FDCWD else b"%d/fd/%d" % (pid, number)
    return b"%s/%s" % (base, text) if text else base


def _split(where: bytes) -> tuple[bytes, bytes, bytes]:
    """Return "PID/cwd" or "PID/fd/N", and the rest of the path."""
    parts = where.split(b"/")
    count = 2 if parts[1] == b"cwd" else 3
    return b"/".join(parts[:count]), b"/", b"/".join(parts[count:])


def _below(top: bytes, path: bytes) -> bytes | None:
    if top == b"/":
        return path
    if path == top:
        return b"/"
    return path[len(top) :] if path.startswith(top + b"/") else None
