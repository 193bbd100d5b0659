"""Execution of set-ID programs, changes of the root, and identities of socket peers."""

import errno
import os
import socket
import stat
import struct

from img.adapters.linux import process_memory, small_files, syscalls
from img.adapters.linux.syscalls import AT_EMPTY_PATH, AT_FDCWD
from img.adapters.storage.owner_records import ROOT
from img.adapters.syscall_supervisor.listener import Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.identities import Identities
from img.adapters.syscall_supervisor.root.owners import Owners
from img.adapters.syscall_supervisor.root.paths import Paths
from img.adapters.syscall_supervisor.root.permissions import SEARCH, Permissions

_SET_GROUP_ID = stat.S_ISGID | stat.S_IXGRP  # without the second bit it means something else
_UCRED = struct.Struct("iII")


class ExecutionCalls:
    """Handlers for execve(2) and for calls that change the view of files or processes."""

    def __init__(
        self, identities: Identities, paths: Paths, owners: Owners, permissions: Permissions
    ) -> None:
        self._identities = identities
        self._paths = paths
        self._owners = owners
        self._permissions = permissions

    def execve(self, call: Notification) -> Answer:
        """Answer execve(2)."""
        return self._execute(call, AT_FDCWD, call.arguments[0])

    def execveat(self, call: Notification) -> Answer:
        """Answer execveat(2)."""
        directory, path, _, _, flags, _ = call.arguments
        if flags & AT_EMPTY_PATH:
            return Reply.LET_PASS  # fexecve(3)
        return self._execute(call, directory, path)

    def leave_root(self, call: Notification) -> Answer:
        """Let the kernel execute chroot(2) and similar calls, if the caller is root."""
        if not self._identities.of(call.pid).privileged:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        self._paths.strayed = True
        return Reply.LET_PASS

    def unshare(self, call: Notification) -> Answer:
        """Let the kernel execute unshare(2) and setns(2), which every process may try."""
        self._paths.strayed = True
        return Reply.LET_PASS

    def getsockopt(self, call: Notification) -> Answer:
        """Return the emulated identity of the peer of a socket (unix(7), "SO_PEERCRED")."""
        descriptor, _, _, value, length, _ = call.arguments
        (room,) = struct.unpack("I", process_memory.read(call.pid, length, 4))
        if room < _UCRED.size:
            return Reply.LET_PASS
        peer = self._peer_of(call.pid, descriptor)
        if peer is None:
            return Reply.LET_PASS
        # The kernel writes the pid: only it knows the number in the caller's pid namespace.
        seen, uid, gid = peer
        process_memory.write(call.pid, value, _UCRED.pack(_inner_pid(seen), uid, gid))
        process_memory.write(call.pid, length, struct.pack("I", _UCRED.size))
        return 0

    def _execute(self, call: Notification, directory: int, path: int) -> Answer:
        caller = self._identities.of(call.pid)
        text = process_memory.read_text(call.pid, path)
        where = self._paths.find(call, directory, text)
        self._permissions.check(caller, text, where, SEARCH)
        mode = os.stat(where).st_mode
        if not stat.S_ISREG(mode):
            return Reply.LET_PASS
        uid = gid = None
        if mode & stat.S_ISUID or mode & _SET_GROUP_ID == _SET_GROUP_ID:
            owner = self._owners.on_record(where, follow=True) or ROOT
            if not _is_script(where):
                uid = owner.uid if mode & stat.S_ISUID else None
                gid = owner.gid if mode & _SET_GROUP_ID == _SET_GROUP_ID else None
        if (becomes := caller.executing(uid, gid)) != caller:
            self._identities.set(call.pid, becomes)
        return Reply.LET_PASS

    def _peer_of(self, pid: int, descriptor: int) -> tuple[int, int, int] | None:
        """Return the peer's pid in this namespace, and its emulated ids."""
        try:
            copy = socket.socket(fileno=syscalls.pidfd_getfd(pid, descriptor))
        except OSError:
            return None
        with copy:
            content = copy.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        peer, _, _ = _UCRED.unpack(content)
        try:
            known = self._identities.of(peer) if peer > 0 else None
        except ProcessLookupError:
            return None
        return (peer, known.user.effective, known.group.effective) if known else None


def _is_script(where: bytes) -> bool:
    return small_files.read_start(where, 2) == b"#!"


def _inner_pid(pid: int) -> int:
    for line in small_files.read_start(b"%d/status" % pid).splitlines():
        if line.startswith(b"NSpid:"):
            return int(line.split()[-1])
    return 0
