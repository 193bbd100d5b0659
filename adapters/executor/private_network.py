"""A private network of a step, connected by slirp4netns, which needs no root.

slirp4netns is a program beside the step that translates TCP, UDP and ICMP; connections from outside
do not reach the step, and the step does not reach the host's loopback.
"""

import errno
import os
import signal
from typing import NoReturn

from img.adapters.executor.find_on_host import find_program
from img.adapters.executor.signals import reset_signals
from img.adapters.linux import syscalls
from img.application.ports.executor import ExecutorUnavailable
from img.domain.process import DEFAULT_PATH

_TUN = "/dev/net/tun"
_MOST_BYTES = 4096  # bytes
_OPTIONS = (
    "--configure", "--mtu=65520", "--disable-host-loopback", "--enable-sandbox", "--enable-seccomp",
)  # fmt: skip


def require() -> str:
    """Return the path of slirp4netns. Raises ExecutorUnavailable if it cannot work."""
    program = find_program("slirp4netns", otherwise="use --network host or none")
    try:
        os.close(os.open(_TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise ExecutorUnavailable(
            f"a network of its own needs {_TUN}: {error.strerror}", hint=_remedy(error.errno)
        ) from error
    return program


def start(program: str, step: int, ready: int) -> tuple[int, int]:
    """Start slirp4netns for the step ``step``; return its pid and the file of its messages.

    ``ready`` gets a byte when packets flow.
    """
    messages = os.memfd_create("img-network")
    pid = os.fork()
    if pid == 0:
        _execute_slirp(program, step, ready, messages)
    return pid, messages


def last_message(messages: int) -> str:
    """Return the last message of slirp4netns."""
    lines = os.pread(messages, _MOST_BYTES, 0).decode("utf-8", "replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "no reason given")


def _execute_slirp(program: str, step: int, ready: int, messages: int) -> NoReturn:
    try:
        server = os.getppid()
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != server:
            os._exit(1)
        reset_signals()
        os.dup2(messages, 1)
        os.dup2(messages, 2)
        os.set_inheritable(ready, True)
        command = [program, *_OPTIONS, f"--ready-fd={ready}", str(step), "tap0"]
        os.execve(program, command, {"PATH": DEFAULT_PATH})
    except OSError as error:
        os.write(2, f"{program}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _remedy(code: int | None) -> str:
    if code == errno.EACCES:
        return "as root: chmod 0666 /dev/net/tun; or use --network host or none"
    return "as root: modprobe tun; in a container, start it with --device /dev/net/tun"
