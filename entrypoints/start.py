"""Where the process begins: before anything that takes time to import."""

import gc
import io
import os
import signal
import sys
from typing import Any

from img.adapters.linux.waiting_file import WaitingFile


def main() -> None:
    """Run the command line and end the process with its exit code."""
    _fill_standard_descriptors()
    sys.stdin, sys.stdout, sys.stderr = map(_waiting, (sys.stdin, sys.stdout, sys.stderr))
    # A caller may have had it ignored, and then no child process can be waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Ctrl-C ends this process without a word until there is somebody who says it well (app.main).
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What a command makes lives to its end, or goes when nothing refers to it. Else the collector
    # walks the 10^5 files of a context again and again: a quarter of a COPY.
    gc.set_threshold(500_000)
    from img.entrypoints.cli import app

    app.main()


def _waiting(stream: Any) -> Any:
    """Return ``stream`` so that it waits for its other end, whatever the caller has set."""
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
    """Open what the caller has closed of 0, 1 and 2: no file of ours may get these numbers.

    Where standard output is closed results are lost, which has to be an error: its file takes none.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, mode), number)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
