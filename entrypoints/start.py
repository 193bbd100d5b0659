"""The start of the process, before imports that take time."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from typing import Any, NoReturn

from img.adapters.linux.waiting_file import WaitingFile


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    _prepare()
    if "build" in sys.argv:  # options may be before it
        from img.entrypoints import trace

        if trace.repeat(sys.argv[1:]):
            os._exit(0)  # as app.main ends
    from img.entrypoints.cli import app

    app.main()


def engine(descriptor: int) -> NoReturn:
    """Serve the Python API at the socket ``descriptor`` and end the process."""
    # The mask of the caller's thread is inherited, but SIGTERM cancels a command.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _prepare()
    from img.entrypoints.engine import serve

    serve.serve(descriptor)


def vertex_server(descriptor: int) -> NoReturn:
    """Perform the tasks of a worker of a cluster, from the socket ``descriptor``."""
    _prepare()
    from img.entrypoints.cluster import serve

    serve.serve(descriptor)


def _prepare() -> None:
    _fill_standard_descriptors()
    sys.stdin, sys.stdout, sys.stderr = map(_waiting, (sys.stdin, sys.stdout, sys.stderr))
    # A caller may have ignored SIGCHLD; then waiting for child processes fails.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Ctrl-C ends this process silently until app.main handles it.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Objects live until the command ends, or are freed by reference counts. The default threshold
    # makes the collector visit the 10^5 files of a context repeatedly: a quarter of a COPY.
    gc.set_threshold(500_000)


def executor() -> None:
    """Run the command line of kaniko's ``executor``, as ``img kaniko`` does."""
    sys.argv[1:1] = ["kaniko"]
    main()


def warmer() -> None:
    """Run the command line of kaniko's ``warmer``, as ``img kaniko warmer`` does."""
    sys.argv[1:1] = ["kaniko", "warmer"]
    main()


def _waiting(stream: Any) -> Any:
    """Return ``stream`` with blocking reads and writes, even if the caller set O_NONBLOCK."""
    buffered: io.BufferedReader | io.BufferedWriter
    if stream.readable():
        buffered = io.BufferedReader(WaitingFile(stream.fileno(), "rb", closefd=False))
    else:
        buffered = io.BufferedWriter(WaitingFile(stream.fileno(), "wb", closefd=False))
    return io.TextIOWrapper(
        buffered,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _fill_standard_descriptors() -> None:
    """Open descriptors 0, 1 and 2 if they are closed, so that no other file gets their number.

    Standard output is opened for reading only: a command that writes results to a closed standard
    output fails instead of losing them.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, mode), number)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
