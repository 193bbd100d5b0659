"""Runs the command many times from one process that has imported it: that is most of the time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.host import warmth
from tests.support.host.img_command import Img

_PROGRAM = (
    Path(warmth.__file__).read_text()
    + """
import json, os, sys, tempfile
from img.entrypoints.cli import app

warm_up()

for run in json.load(sys.stdin):
    said = tempfile.TemporaryFile()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(run["stdin"], os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(said.fileno(), 2)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
        try:
            app.main(run["arguments"])
        finally:
            os._exit(99)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    said.seek(0)
    print(json.dumps([code, said.read().decode("utf-8", "replace")]), flush=True)
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A command line, and a file for its standard input."""

    arguments: Sequence[str | Path]
    stdin: Path = Path("/dev/null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The exit code of a run, and its standard error."""

    code: int
    stderr: str

    @property
    def error(self) -> str:
        """Return the one line that says what went wrong, "" if nothing did."""
        assert "Traceback" not in self.stderr, self.stderr[-2000:]
        lines = [line for line in self.stderr.splitlines() if line.startswith("Error: ")]
        assert len(lines) == bool(self.code), self.stderr[-2000:]
        assert 0 <= self.code < 10, self.stderr[-2000:]
        return lines[0] if lines else ""


def run_all(img: Img, runs: Sequence[Run]) -> list[Ended]:
    """Run them one after the other, in img's environment; the program itself is not executed."""
    orders = [
        {"arguments": [str(word) for word in run.arguments], "stdin": str(run.stdin)}
        for run in runs
    ]
    one = Img(
        command=(img.python, "-c", _PROGRAM),
        account=img.account,
        state=img.state,
        home=img.home,
        environment=img.environment,
    )
    process = one.start()
    output, errors = process.communicate(json.dumps(orders).encode(), timeout=240)
    assert process.returncode == 0, errors.decode()
    return [Ended(code=code, stderr=text) for code, text in map(json.loads, output.splitlines())]
