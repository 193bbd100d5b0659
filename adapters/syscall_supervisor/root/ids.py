"""Handlers for calls that return or change the ids of a process."""

import errno
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace

from img.adapters.linux import process_memory
from img.adapters.syscall_supervisor.listener import Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.credentials import Credentials, Ids
from img.adapters.syscall_supervisor.root.identities import Identities

_MOST_GROUPS = 65536  # NGROUPS_MAX
_ID = 0xFFFF_FFFF
_UNLIMITED = (1 << 64) - 1
PR_SET_KEEPCAPS, PR_SET_SECUREBITS = 8, 28
_KEEP_BITS = 1 << 2 | 1 << 4  # SECBIT_NO_SETUID_FIXUP, SECBIT_KEEP_CAPS


class IdCalls:
    """Handlers for getuid(2), setuid(2) and similar calls."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    def handlers(self) -> Mapping[str, Callable[[Notification], Answer]]:
        """Return the handler of each call."""
        of = self._identities.of
        return {
            "getuid": lambda call: of(call.pid).user.real,
            "geteuid": lambda call: of(call.pid).user.effective,
            "getgid": lambda call: of(call.pid).group.real,
            "getegid": lambda call: of(call.pid).group.effective,
            "getresuid": lambda call: _tell(call, of(call.pid).user),
            "getresgid": lambda call: _tell(call, of(call.pid).group),
            "getgroups": self._getgroups,
            "setuid": lambda call: self._change(call, "user", Ids.set, 1),
            "setgid": lambda call: self._change(call, "group", Ids.set, 1),
            "setreuid": lambda call: self._change(call, "user", Ids.set_two, 2),
            "setregid": lambda call: self._change(call, "group", Ids.set_two, 2),
            "setresuid": lambda call: self._change(call, "user", Ids.set_three, 3),
            "setresgid": lambda call: self._change(call, "group", Ids.set_three, 3),
            "setfsuid": lambda call: self._set_filesystem(call, "user"),
            "setfsgid": lambda call: self._set_filesystem(call, "group"),
            "setgroups": self._setgroups,
            "prctl": self._prctl,
            "getrlimit": lambda call: _answer_unlimited(call, call.arguments[1]),
            "setrlimit": lambda _: 0,
            "prlimit64": lambda call: _answer_unlimited(call, call.arguments[3]),
        }

    def _change(self, call: Notification, kind: str, how: Callable[..., Ids], count: int) -> Answer:
        caller = self._identities.of(call.pid)
        values = (value & _ID for value in call.arguments[:count])
        try:
            ids = how(getattr(caller, kind), *values, privileged=caller.privileged)
        except PermissionError:
            raise PermissionError(errno.EPERM, "not root") from None
        except ValueError:
            raise OSError(errno.EINVAL, "no id") from None
        self._identities.set(call.pid, _with(caller, kind, ids))
        return 0

    def _set_filesystem(self, call: Notification, kind: str) -> Answer:
        caller = self._identities.of(call.pid)
        ids: Ids = getattr(caller, kind)
        changed = ids.set_filesystem(call.arguments[0] & _ID, privileged=caller.privileged)
        if changed != ids:
            self._identities.set(call.pid, _with(caller, kind, changed))
        return ids.filesystem

    def _getgroups(self, call: Notification) -> Answer:
        groups = self._identities.of(call.pid).groups
        room = call.arguments[0] & _ID
        if room:
            if room < len(groups):
                raise OSError(errno.EINVAL, "too little room")
            content = struct.pack(f"{len(groups)}I", *groups)
            process_memory.write(call.pid, call.arguments[1], content)
        return len(groups)

    def _setgroups(self, call: Notification) -> Answer:
        caller = self._identities.of(call.pid)
        count = call.arguments[0] & _ID
        if not caller.privileged:
            raise PermissionError(errno.EPERM, "not root")
        if count > _MOST_GROUPS:
            raise OSError(errno.EINVAL, "too many groups")
        content = process_memory.read(call.pid, call.arguments[1], 4 * count) if count else b""
        groups = struct.unpack(f"{count}I", content)
        self._identities.set(call.pid, replace(caller, groups=tuple(sorted(groups))))
        return 0

    def _prctl(self, call: Notification) -> Answer:
        option, value = call.arguments[:2]
        caller = self._identities.of(call.pid)
        keeps = bool(value & (_KEEP_BITS if option == PR_SET_SECUREBITS else _ID))
        self._identities.set(call.pid, replace(caller, keeps_privileges=keeps))
        return Reply.LET_PASS


def _answer_unlimited(call: Notification, address: int) -> Answer:
    """Answer that the limit that carries the credentials is unlimited: it is internal.

    Debian's pam_limits sets all limits to those of pid 1.
    """
    if address:
        process_memory.write(call.pid, address, struct.pack("QQ", _UNLIMITED, _UNLIMITED))
    return 0


def _with(credentials: Credentials, kind: str, ids: Ids) -> Credentials:
    return credentials.with_user(ids) if kind == "user" else replace(credentials, group=ids)


def _tell(call: Notification, ids: Ids) -> Answer:
    for address, value in zip(call.arguments, (ids.real, ids.effective, ids.saved), strict=False):
        process_memory.write(call.pid, address, struct.pack("I", value))
    return 0
