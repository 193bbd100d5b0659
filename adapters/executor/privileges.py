"""The privileges of a step: its capabilities, and the filter of its system calls."""

import errno
from collections.abc import Sequence

from img.adapters.linux import capabilities, landlock
from img.adapters.linux.landlock import Access
from img.adapters.syscall_supervisor import allowed_calls, bpf
from img.application.ports.executor import ExecutorUnavailable
from img.domain.process import Network, Process

_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL)  # a kernel without filters


def allowed_capabilities(network: Network) -> int:
    """Return Docker's default capabilities for a step with ``network``, as a bit mask.

    With the host's network, CAP_NET_RAW is left out: root in a step could read the packets of every
    process of the host.
    """
    if network is Network.HOST:
        return capabilities.DOCKER_DEFAULT & ~capabilities.mask_of("net_raw")
    return capabilities.DOCKER_DEFAULT


def separate(process: Process, files: Sequence[tuple[int, Access]] | None = None) -> None:
    """Deny this process other processes and abstract sockets outside of the step, by Landlock.

    A step with the host's network could otherwise receive files of the host through such a socket.
    ``files`` are all that it may access. Without effect on kernels without Landlock. Raises
    ExecutorUnavailable.
    """
    if process.insecure:
        return
    try:
        landlock.restrict(files)
    except OSError as error:
        raise ExecutorUnavailable(
            f"a step cannot be restricted by Landlock: {error.strerror}"
        ) from error


def confine(process: Process, allowed: int, *, of_runtime: bool = False) -> None:
    """Load the filter of a step with the capabilities ``allowed`` into this process.

    ``of_runtime``: this process becomes a container runtime, and makes the calls of one. Without
    effect on kernels without filters and on unsupported architectures. Raises
    ExecutorUnavailable.
    """
    separate(process)
    if process.insecure:
        return
    program = compiled(process, allowed, of_runtime=of_runtime)
    if program is None:
        return
    try:
        bpf.load(program)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise ExecutorUnavailable(
                f"the system calls of a step cannot be filtered: {error.strerror}"
            ) from error


def compiled(process: Process, allowed: int, *, of_runtime: bool = False) -> bytes | None:
    """Return the filter that ``confine`` loads, None on an unsupported architecture.

    It is cached for a process and its forks.
    """
    machine = bpf.this_machine()
    if machine is None:
        return None
    return allowed_calls.filter_program(
        machine, allowed, userns=process.userns, of_runtime=of_runtime
    )


def prepare_filters() -> None:
    """Compile the filter of most steps, for processes that are forked later.

    Their capabilities are computed too.
    """
    capabilities.numbers_in(capabilities.ALL & ~allowed_capabilities(Network.HOST))
    machine = bpf.this_machine()
    if machine is not None:
        allowed_calls.filter_program(machine, capabilities.DOCKER_DEFAULT)
    landlock.plan(files=False)
