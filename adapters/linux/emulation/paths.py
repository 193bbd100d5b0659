"""Where the supervisor finds what a caller's path names.

The supervisor has the root of the step, and the outer /proc as its working directory. So an
absolute path is what it is, and every other starts from a link in /proc: ``PID/cwd``, ``PID/fd/N``.
"""

import ctypes
import os

from img.adapters.linux import syscalls
from img.adapters.linux.notifications import Listener, Notification

AT_FDCWD = -100
_PATH = os.O_PATH | os.O_CLOEXEC


class Paths:
    """Finds files of callers; ``release`` closes what that took."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._opened: list[int] = []
        self.strayed = False  # somebody may have another root

    def release(self) -> None:
        """Forget what was found for a call."""
        while self._opened:
            os.close(self._opened.pop())

    def find(
        self, call: Notification, directory: int, text: bytes, *, follow: bool = True
    ) -> bytes:
        """Return where the file is; with an empty ``text`` the directory, or what else it is."""
        if self.strayed:
            return self._find_anywhere(call, directory, text, follow=follow)
        return text if text[:1] == b"/" else from_process(call.pid, directory, text)

    def find_to_change(
        self, call: Notification, directory: int, text: bytes, *, follow: bool = True
    ) -> bytes:
        """Return the same, for good: nobody else can be meant who gets the caller's pid.

        Raises ProcessLookupError where the caller is gone.
        """
        where = self.find(call, directory, text, follow=follow)
        if where[:1] == b"/" or where.startswith(b"self/"):
            return where
        base, _, rest = _split(where)
        held = self._hold(os.open(base, _PATH))
        if not self._listener.is_waiting(call):
            raise ProcessLookupError
        return b"%s/%s" % (held, rest) if rest else held

    def place(self, call: Notification, directory: int, text: bytes) -> bytes:
        """Return where a new file has to be made; its parent is the path's."""
        if not self.strayed:
            return self.find_to_change(call, directory, text)
        parent, _, name = text.rpartition(b"/")
        parent = parent or (b"/" if text[:1] == b"/" else b".")
        return b"%s/%s" % (self._find_anywhere(call, directory, parent, follow=True), name)

    def _find_anywhere(
        self, call: Notification, directory: int, text: bytes, *, follow: bool
    ) -> bytes:
        """Find by the caller's own root, which costs three calls more."""
        top = os.readlink(b"%d/root" % call.pid)
        inside: bytes | None = text
        if text[:1] != b"/":
            base = os.readlink(from_process(call.pid, directory))
            inside = _below(top, base)
        if inside is None or not text:  # a descriptor from outside of the root
            return from_process(call.pid, directory, text)
        if text[:1] != b"/":
            inside = b"%s/%s" % (inside, text)
        root = os.open(b"%d/root" % call.pid, _PATH)
        try:
            flags = os.O_PATH | (0 if follow else os.O_NOFOLLOW)
            return self._hold(syscalls.openat2(root, os.fsdecode(inside), flags))
        finally:
            os.close(root)

    def _hold(self, descriptor: int) -> bytes:
        self._opened.append(descriptor)
        return b"self/fd/%d" % descriptor


def from_process(pid: int, directory: int, text: bytes = b"") -> bytes:
    """Return the path below /proc that leads where a process' path starts, ``text`` after it."""
    number = ctypes.c_int(directory & 0xFFFF_FFFF).value
    base = b"%d/cwd" % pid if number == AT_FDCWD else b"%d/fd/%d" % (pid, number)
    return b"%s/%s" % (base, text) if text else base


def _split(where: bytes) -> tuple[bytes, bytes, bytes]:
    """Return "PID/cwd" or "PID/fd/N", and what follows it."""
    parts = where.split(b"/")
    count = 2 if parts[1] == b"cwd" else 3
    return b"/".join(parts[:count]), b"/", b"/".join(parts[count:])


def _below(top: bytes, path: bytes) -> bytes | None:
    if top == b"/":
        return path
    if path == top:
        return b"/"
    return path[len(top) :] if path.startswith(top + b"/") else None


def through_proc(pid: int, text: bytes) -> bytes | None:
    """Return where a path through the caller's own /proc leads; None where it does not.

    The step's /proc does not know the supervisor, so "self" is nobody there.
    """
    for number, name in enumerate((b"stdin", b"stdout", b"stderr")):
        if text == b"/dev/" + name:
            return b"%d/fd/%d" % (pid, number)
    for start, end in (
        (b"/dev/fd/", b"fd/"),
        (b"/proc/self/", b""),
        (b"/proc/thread-self/", b""),
    ):
        if text.startswith(start):
            return b"%d/%s%s" % (pid, end, text[len(start) :])
    return None
