"""Builds and traces in forks of one process, so that hundreds of questions take seconds.

A fork gets arguments, an environment and a working directory, like a process of its own; the
modules of img are imported already.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

_SERVER = """
import contextlib, ctypes, json, os, sqlite3, sys
sys.path.insert(0, sys.argv[1])
import of_the_program  # a module of the program that tests may change
from img.entrypoints import rootless, start, trace
from img.entrypoints.wiring import building, execution, housekeeping, images, registries, root
from img.entrypoints.cli import app, build
from img.adapters.storage import build_traces, state_directory, trace_questions
from img.adapters.build_context import context_walk
from img.domain.dockerfile import ignore
from img.domain.errors import ImgError
import img

def would_repeat():
    try:
        state_directory.open_state(os.environ["IMG_STATE"])
    except ImgError:
        return False
    line = trace.CommandLine(sys.argv[1:], os.environ["IMG_STATE"])
    return trace.options_of(sys.argv[1:]) is not None and build_traces.repeated(
        line.database, line.key, line.facts, line.walk
    ) is not None

def renew():
    # What a build would record now, if it had the same output.
    line = trace.CommandLine(sys.argv[1:], os.environ["IMG_STATE"])
    with contextlib.closing(sqlite3.connect(line.database)) as database:
        for key, content in database.execute("SELECT key, content FROM traces").fetchall():
            known = json.loads(content)
            known["asked"] = [
                (q, line.walk(q) if q[0] == "walk" else trace_questions.ask(q, database))
                for q, _ in known["asked"]
            ]
            known = json.dumps(known)
            database.execute("UPDATE traces SET content = ? WHERE key = ?", (known, key))
        database.commit()
    return True

def in_child(order, answer):
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["img", *order["words"]]
    exec(order["first"], globals())
    if order["do"] == "build":
        for number in (1, 2):
            os.dup2(os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        sys.stdout = open(1, "w", encoding=order["encoding"], closefd=False)
        sys.stderr = open(2, "w", encoding=order["encoding"], closefd=False)
        start.main()
    try:
        result = {"repeat": would_repeat, "renew": renew}[order["do"]]()
    except Exception as error:
        result = repr(error)
    os.write(answer, json.dumps(result).encode())

for text in sys.stdin:
    ours, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            in_child(json.loads(text), its)
        finally:
            os._exit(0)
    os.close(its)
    with open(ours, "rb") as said:
        result = said.read().decode() or "null"
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps([code, json.loads(result)]), flush=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A command line and what its process is given."""

    words: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    first: str = ""  # Python that the process runs first
    encoding: str = "utf-8"  # of the output


class TraceLab:
    """A process with forks that are img; ``modules`` has a module that is part of the program."""

    def __init__(self, modules: Path) -> None:
        modules.mkdir()
        self.module = modules / "of_the_program.py"
        self.module.write_text("value = 1\n")
        self._output = modules.with_name("output")
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-c", _SERVER, modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "TraceLab":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def build(self, line: Line) -> str:
        """Run ``img`` and return its output, with lone surrogates for bytes that are not UTF-8."""
        self._output.unlink(missing_ok=True)
        code, _ = self._ask("build", line)
        output = self._output.read_text(encoding="utf-8", errors="surrogateescape")
        assert code == 0, output
        return output

    def would_repeat(self, line: Line) -> bool:
        """Return whether img would print the output of the last build."""
        _, answer = self._ask("repeat", line)
        assert isinstance(answer, bool), answer
        return answer

    def renew(self, line: Line) -> None:
        """Replace the answers in all traces with those of now."""
        _, answer = self._ask("renew", line)
        assert answer is True, answer

    def _ask(self, what: str, line: Line) -> tuple[int, Any]:
        assert self._process.stdin and self._process.stdout
        order = {
            "do": what,
            "words": line.words,
            "cwd": os.fspath(line.cwd),
            "environment": dict(line.environment),
            "first": line.first,
            "encoding": line.encoding,
            "output": os.fspath(self._output),
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code, answer = json.loads(self._process.stdout.readline())
        return code, answer
