"""The state of the process that commands find."""

import os
import signal
import subprocess
import sys

# Stands for the commands: writes more than a pipe holds, and waits for a child process.
_COMMAND = """
import subprocess, sys
import img.entrypoints.cli.app as app
def main():
    code = subprocess.run(["true"]).returncode
    code += sys.stdin.read() not in ("", "text of a Dockerfile")
    for stream in (sys.stdout, sys.stderr):
        stream.write("x" * 300_000)
        stream.flush()
    raise SystemExit(code)
app.main = main
from img.entrypoints.start import main
main()
"""

_IGNORING = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_no_line_is_lost_where_standard_files_do_not_wait() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    source, text = os.pipe()
    os.set_blocking(source, False)

    started = subprocess.Popen(
        [sys.executable, "-c", _COMMAND], stdin=source, stdout=writer, stderr=writer
    )
    os.close(writer)
    os.close(source)
    with open(text, "wb") as file:
        file.write(b"text of a Dockerfile")
    with open(reader, "rb") as output:
        read = output.read()

    assert started.wait() == 0
    assert len(read) == 600_000


def test_children_can_be_waited_for_though_the_caller_ignores_their_ends() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _IGNORING, "-c", _COMMAND],
        capture_output=True,
        check=False,
    )

    assert b"Error" not in ended.stderr
    assert ended.returncode == 0
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL  # of this process: nothing leaks
