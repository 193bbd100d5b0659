"""A helper process that stays outside of the user namespace that this process enters.

Inside, every process appears to be root: credential helpers that ask the user's session over D-Bus
would get no answer.
"""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import NoReturn

from img.adapters.linux import syscalls
from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperResult:
    """The exit code and the output of a helper program."""

    code: int
    stdout: bytes = field(repr=False)
    stderr: bytes


HelperRunner = Callable[[Sequence[str], bytes], HelperResult]
"""Runs a program with some bytes as its input. Raises OSError if it cannot be started."""


def run_here(argv: Sequence[str], stdin: bytes) -> HelperResult:
    """Run a helper in this process' namespaces (a ``HelperRunner``)."""
    import subprocess

    done = subprocess.run(argv, input=stdin, capture_output=True, check=False)
    return HelperResult(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


class Outsider:
    """Runs helpers as the original user of this process. Create it before the first thread."""

    def __init__(self) -> None:
        ours, its = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            _run_helpers(its)
        its.close()
        self._turn = threading.Lock()
        self._connection = ours.makefile("rw", encoding="ascii")
        ours.close()

    def run(self, argv: Sequence[str], stdin: bytes) -> HelperResult:
        """Run a helper outside of the namespace (a ``HelperRunner``); one at a time."""
        request = json.dumps({"argv": list(argv), "stdin": stdin.decode("latin-1")})
        with self._turn:
            self._connection.write(request + "\n")
            self._connection.flush()
            answer = self._connection.readline()
        if not answer:
            raise ConnectionResetError("the process that runs credential helpers is gone")
        reply = json.loads(answer)
        if "errno" in reply:
            raise OSError(reply["errno"], os.strerror(reply["errno"]), argv[0])
        return HelperResult(
            code=reply["code"],
            stdout=reply["stdout"].encode("latin-1"),
            stderr=reply["stderr"].encode("latin-1"),
        )

    def close(self) -> None:
        """End the helper process. Idempotent; it also ends when this process does."""
        if self._pid:
            # First, as it may wait for a helper, and a thread for the answer.
            os.kill(self._pid, signal.SIGTERM)
            os.waitpid(self._pid, 0)
            self._pid = 0
            self._connection.close()


def _run_helpers(connection: socket.socket) -> NoReturn:
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
        # Ctrl-C signals all processes of the terminal; this one must end with the connection only.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # The ends of pipes that the parent closes have to be closed here, too.
        syscalls.close_descriptors(but=connection.fileno())
        with connection.makefile("rw", encoding="ascii") as requests:
            for line in requests:
                requests.write(json.dumps(_answer(json.loads(line))) + "\n")
                requests.flush()
    finally:
        os._exit(0)


def _answer(request: dict[str, object]) -> dict[str, object]:
    argv, stdin = request["argv"], request["stdin"]
    assert isinstance(argv, list)
    assert isinstance(stdin, str)
    try:
        done = run_here(argv, stdin.encode("latin-1"))
    except OSError as error:
        return {"errno": error.errno}
    return {
        "code": done.code,
        "stdout": done.stdout.decode("latin-1"),
        "stderr": done.stderr.decode("latin-1"),
    }
