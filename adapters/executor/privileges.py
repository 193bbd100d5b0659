"""What a step may do: its capabilities, and the filter of its system calls."""

import errno

from img.adapters.linux import allowed_calls, capabilities, seccomp
from img.application.ports.executor import ExecutorUnavailable
from img.domain.process import Network, Process

_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL)  # a kernel without filters


def allowed_capabilities(process: Process) -> int:
    """Return Docker's default capabilities for ``process``, as a bit mask.

    Where the network is the host's, CAP_NET_RAW is not among them: with it, root in a step reads
    the packets of every process of the host.
    """
    if process.network is Network.HOST:
        return capabilities.DOCKER_DEFAULT & ~capabilities.mask_of("net_raw")
    return capabilities.DOCKER_DEFAULT


def confine(process: Process, allowed: int) -> None:
    """Put this process under the filter of a step with the capabilities ``allowed``.

    Without effect where the kernel has no filters, or the call numbers of this machine are not
    known. Raises ExecutorUnavailable.
    """
    machine = seccomp.this_machine()
    if process.insecure or machine is None:
        return
    program = allowed_calls.filter_program(machine, allowed, userns=process.userns)
    try:
        seccomp.load(program)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise ExecutorUnavailable(
                f"the system calls of a step cannot be filtered: {error.strerror}"
            ) from error


def prepare_filters() -> None:
    """Make the filter of most steps, for processes that are forked from here."""
    machine = seccomp.this_machine()
    if machine is not None:
        allowed_calls.filter_program(machine, capabilities.DOCKER_DEFAULT)
