"""System calls that no step of a build has business with."""

import errno
from functools import cache

from img.adapters.linux import seccomp
from img.adapters.linux.seccomp import Rule

# A subset of what containerd's default profile refuses without capabilities (contrib/seccomp):
# what speaks to parts of the kernel that namespaces do not divide, or that were often at fault.
# EPERM is what programs know from there, and fall back on.
DENIED = tuple(
    Rule(call, seccomp.fail_with(errno.EPERM))
    for call in """
        acct add_key bpf delete_module finit_module init_module io_uring_enter io_uring_register
        io_uring_setup ioperm iopl kexec_file_load kexec_load keyctl lookup_dcookie
        open_by_handle_at perf_event_open quotactl reboot request_key swapoff swapon sysfs syslog
        uselib userfaultfd
    """.split()  # noqa: SIM905 (a column of 26 lines says no more)
)


@cache
def filter_program() -> bytes | None:
    """Return the filter that refuses them, None where this machine's call numbers are not known."""
    machine = seccomp.this_machine()
    return None if machine is None else seccomp.program(machine, DENIED)


def deny() -> None:
    """Refuse these calls to this process and all it starts.

    Where this process may not (it takes CAP_SYS_ADMIN), the kernel has no filters, or this
    machine's call numbers are not known, nothing is refused: the capabilities still are what they
    are.
    """
    program = filter_program()
    if program is None:
        return
    try:
        seccomp.load(program)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL, errno.EACCES):
            raise
