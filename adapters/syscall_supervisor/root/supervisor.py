"""The supervisor of steps with an emulated root."""

import contextlib
import errno
import os
import signal
from collections.abc import Mapping
from functools import partial

from img.adapters.linux import small_files
from img.adapters.storage.owner_records import ROOT, Journal, Owner
from img.adapters.syscall_supervisor.dispatcher import Dispatcher, Handler
from img.adapters.syscall_supervisor.listener import Listener, NoProcessLeft, Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.attributes import LISTING, AttributeCalls
from img.adapters.syscall_supervisor.root.capability_records import CapabilityCalls
from img.adapters.syscall_supervisor.root.changes import ChangeCalls
from img.adapters.syscall_supervisor.root.creation import CreationCalls
from img.adapters.syscall_supervisor.root.credentials import Credentials, credentials_of
from img.adapters.syscall_supervisor.root.execution import ExecutionCalls
from img.adapters.syscall_supervisor.root.filters import ACCESS, CHANGE, CREATE, EXECUTE, STAT
from img.adapters.syscall_supervisor.root.identities import Identities
from img.adapters.syscall_supervisor.root.ids import IdCalls
from img.adapters.syscall_supervisor.root.overrides import Overrides
from img.adapters.syscall_supervisor.root.owners import OwnerCalls, Owners
from img.adapters.syscall_supervisor.root.paths import Paths
from img.adapters.syscall_supervisor.root.permissions import AccessCalls, Permissions
from img.adapters.syscall_supervisor.root.process_capabilities import ProcessCapabilityCalls
from img.adapters.syscall_supervisor.root.status import StatusCalls

# If one of these calls cannot be emulated, the kernel executes it, or reports the error itself.
_LEFT_TO_THE_KERNEL = frozenset((*STAT, "getsockopt", "prctl"))
# The same, except for errors of missing permission.
_CHECKED = frozenset((*CREATE, *ACCESS, *EXECUTE, *CHANGE, "open", "openat", "mknod", "mknodat"))
_REFUSALS = frozenset((errno.EACCES, errno.EPERM))


class Supervisor:
    """Answers calls of a step as if the step had root's ids; this is no security boundary.

    The process has the step's root and the outer /proc as its working directory, and the same
    rights as the step: a step that deceives it only mislabels files that it could change anyway.
    """

    def __init__(
        self,
        listener: Listener,
        initial: Credentials,
        journal: Journal,
        *,
        own: Owner = ROOT,
        top: bytes = b"",
    ) -> None:
        """Create a supervisor; files of root belong to ``own``, the step's root is at ``top``."""
        self._listener = listener
        outer = not top and _is_outer_proc_mounted()
        paths, owners = Paths(listener, strayed=outer), Owners(journal, own)
        permissions = Permissions(paths, owners, top)
        identities = Identities(initial)
        handlers = _handlers(listener, identities, paths, owners, permissions)
        if top:  # then this process, and the step's root, belong to a plain user
            handlers = Overrides(listener, identities, paths, top).around(handlers)
        self._dispatcher = Dispatcher(
            listener,
            handlers,
            final_errors=_final_errors_of,
            foreign=partial(_refuse_program, listener),
            finish=paths.release,
        )

    def serve(self) -> None:
        """Answer calls until no process with the filter is left, if the kernel reports that."""
        self._listener.share_processor()
        with contextlib.suppress(NoProcessLeft):
            while True:
                self._dispatcher.attend()


def _is_outer_proc_mounted() -> bool:
    """Tell whether the step can reach the /proc that is this process' working directory.

    A pid namespace has its own, unless parts of the outer one are hidden. An image may have a link
    at /proc, so all mounts are checked. Under PRoot all paths are the step's own anyway.
    """
    device = os.stat(".").st_dev
    number = b" %d:%d " % (os.major(device), os.minor(device))
    return number in small_files.read_all("self/mountinfo")


def _final_errors_of(name: str) -> frozenset[int] | None:
    """Return the errors of a handler that are final; None: all are."""
    if name in _LEFT_TO_THE_KERNEL:
        return frozenset()
    if name in LISTING:
        return frozenset((errno.ERANGE,))
    return _REFUSALS if name in _CHECKED else None


def handled_calls() -> frozenset[str]:
    """Return the names of the calls that have a handler."""
    listener = Listener(-1)
    nobody = Identities(credentials_of(0, 0, ()))
    paths, owners = Paths(listener), Owners(Journal())
    return frozenset(_handlers(listener, nobody, paths, owners, Permissions(paths, owners)))


def _handlers(
    listener: Listener,
    identities: Identities,
    paths: Paths,
    owners: Owners,
    permissions: Permissions,
) -> Mapping[str, Handler]:
    chown = OwnerCalls(identities, paths, owners)
    status = StatusCalls(listener, paths, owners)
    access = AccessCalls(identities, paths, permissions)
    change = ChangeCalls(identities, paths, owners, permissions)
    create = CreationCalls(listener, identities, paths, owners, permissions)
    execute = ExecutionCalls(identities, paths, owners, permissions)
    return {
        **IdCalls(identities).handlers(),
        **CapabilityCalls(identities, paths).handlers(),
        **ProcessCapabilityCalls(identities).handlers(),
        **AttributeCalls(paths).handlers(),
        **change.handlers(),
        "chown": chown.chown,
        "lchown": chown.lchown,
        "fchown": chown.fchown,
        "fchownat": chown.fchownat,
        "stat": status.stat,
        "lstat": status.lstat,
        "fstat": status.fstat,
        "newfstatat": status.newfstatat,
        "statx": status.statx,
        "access": access.access,
        "faccessat": access.faccessat,
        "faccessat2": access.faccessat2,
        "open": create.open,
        "openat": create.openat,
        "openat2": create.openat2,
        "creat": create.creat,
        "mkdir": create.mkdir,
        "mkdirat": create.mkdirat,
        "symlink": create.symlink,
        "symlinkat": create.symlinkat,
        "mknod": create.mknod,
        "mknodat": create.mknodat,
        "execve": execute.execve,
        "execveat": execute.execveat,
        "chroot": execute.leave_root,
        "unshare": execute.unshare,
        "setns": execute.unshare,
        "getsockopt": execute.getsockopt,
    }


def _refuse_program(listener: Listener, call: Notification) -> Answer:
    message = "img: 32-bit programs cannot run where root is emulated (see --emulate)\n"
    os.write(2, message.encode())
    caller = os.pidfd_open(call.pid)
    try:
        if listener.is_waiting(call):  # otherwise the pid may belong to another process by now
            signal.pidfd_send_signal(caller, signal.SIGKILL)
    finally:
        os.close(caller)
    return Reply.SENT
