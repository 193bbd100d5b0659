"""Where the process begins: before anything that takes time to import."""

import gc
import os
import signal
import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    _fill_standard_descriptors()
    # Ctrl-C ends this process without a word until there is somebody who says it well (app.main).
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What a command makes lives to its end, or goes when nothing refers to it. Else the collector
    # walks the 10^5 files of a context again and again: a quarter of a COPY.
    gc.set_threshold(500_000)
    from img.entrypoints.cli import app

    app.main()


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
