"""Traces of builds: each change that a build can see is noticed, and outputs are the same."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.host.machine import need_root
from tests.support.host.trace_lab import Line, TraceLab

pytestmark = [pytest.mark.userns, pytest.mark.any_user]

_DOCKERFILE = """FROM scratch AS one
ARG HOME
COPY --chmod=600 file /made
FROM scratch
ENV A=$HOME
COPY --from=one /made /got
WORKDIR /w
COPY . /all
"""
_PATIENCE_S = 20


@dataclass(frozen=True, slots=True)
class Bench:
    """A context and a state with a trace of the build ``line``."""

    lab: TraceLab
    root: Path
    line: Line

    @property
    def context(self) -> Path:
        return self.root / "context"

    @property
    def state(self) -> Path:
        return self.root / "state"

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.state / "state.db")) as database:
            database.execute(statement)
            database.commit()

    def each_blob(self, change: Callable[[Path], object]) -> None:
        for blob in [*(self.state / "blobs/sha256").iterdir()]:
            change(blob)


def write(context: Path) -> None:
    (context / "sub/deep").mkdir(parents=True)
    (context / "Dockerfile").write_text(_DOCKERFILE)
    (context / ".dockerignore").write_text("*.log\n")
    (context / "file").write_text("file\n")
    (context / "sub/file").write_text("file\n")
    (context / "sub/deep/file").write_text("file\n")
    (context / "sub/link").symlink_to("file")
    (context / "ignored.log").write_text("file\n")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    need_root()  # of this user the ids may not be exact
    root = tmp_path_factory.mktemp("traces")
    root.chmod(0o755)
    write(root / "context")
    for directory in ("first", "second"):
        (root / directory).mkdir()
    line = Line(
        words=("build", "--progress=plain", "--build-arg", "HOME", "-t", "app", "."),
        cwd=root / "context",
        environment={
            "HOME": str(root),
            "IMG_STATE": str(root / "state"),
            "PATH": f"{root}/first:{root}/second:/usr/bin:/bin",
        },
    )
    with TraceLab(root / "modules") as lab:
        bench = Bench(lab, root, line)
        lab.build(line)
        left_by_a_cached_build(bench)
        yield bench


def renew(bench: Bench) -> None:
    """Make the trace one of now. Tests that run at the same time may change /etc/passwd."""
    end = time.monotonic() + _PATIENCE_S
    bench.lab.renew(bench.line)
    while not bench.lab.would_repeat(bench.line):
        assert time.monotonic() < end, "a trace of now is not that of now"
        bench.lab.renew(bench.line)


def left_by_a_cached_build(bench: Bench) -> None:
    """Build until nothing has just changed, so that the build leaves a trace."""
    end = time.monotonic() + _PATIENCE_S
    while not bench.lab.would_repeat(bench.line):
        assert time.monotonic() < end, "no trace"
        bench.lab.build(bench.line)


def _same_size(path: Path) -> None:
    path.write_text("eliF\n")


def _rename_and_back(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.with_name("other").rename(path)


def _content_and_old_time(path: Path) -> None:
    status = path.stat()
    path.write_text("FILE\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _copy_of_itself(path: Path) -> None:
    content, status = path.read_bytes(), path.stat()
    path.unlink()
    path.write_bytes(content)
    path.chmod(status.st_mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


_FILE_CHANGES: dict[str, Callable[[Path], object]] = {
    "content of the same size": _same_size,
    "more content": lambda path: path.write_text("longer than before\n"),
    "content and the old time": _content_and_old_time,
    "mode": lambda path: path.chmod(path.stat().st_mode ^ 0o100),
    "time": lambda path: os.utime(path, (1, 1)),
    "renamed and back": _rename_and_back,
    "replaced by a copy": _copy_of_itself,
    "another name": lambda path: os.link(path, path.with_name(f"name-{time.monotonic_ns()}")),
    "added": lambda path: path.with_name(f"new-{time.monotonic_ns()}").write_text(""),
    "a directory": lambda path: path.with_name(f"new-{time.monotonic_ns()}").mkdir(),
    "a link": lambda path: path.with_name(f"new-{time.monotonic_ns()}").symlink_to("x"),
    "mode of the directory": lambda path: path.parent.chmod(path.parent.stat().st_mode ^ 0o010),
    "time of the directory": lambda path: os.utime(path.parent, ns=(0, time.time_ns())),
}
_FILES = ("file", "sub/file", "sub/deep/file")


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    changes=st.lists(
        st.tuples(st.sampled_from(sorted(_FILE_CHANGES)), st.sampled_from(_FILES)),
        min_size=1,
        max_size=3,
    )
)
def test_each_change_of_a_file_is_noticed(bench: Bench, changes: Sequence[tuple[str, str]]) -> None:
    for change, file in changes:
        renew(bench)

        _FILE_CHANGES[change](bench.context / file)

        assert not bench.lab.would_repeat(bench.line), f"{change}: {file}"


def _other_link(bench: Bench) -> None:
    (bench.context / "sub/link").unlink()
    (bench.context / "sub/link").symlink_to("fil")


def _moved(bench: Bench) -> None:
    bench.context.rename(bench.root / "moved")
    bench.context.mkdir()
    write(bench.context)


_CHANGES: dict[str, Callable[[Bench], object]] = {
    "Dockerfile": lambda b: (b.context / "Dockerfile").write_text(f"{_DOCKERFILE}USER 1\n"),
    "time of the Dockerfile": lambda b: os.utime(b.context / "Dockerfile", (1, 1)),
    "own ignore file": lambda b: (b.context / "Dockerfile.dockerignore").write_text("x"),
    "no own ignore file": lambda b: (b.context / "Dockerfile.dockerignore").unlink(),
    "ignore file": lambda b: (b.context / ".dockerignore").write_text("*.log\nx\n"),
    "no ignore file": lambda b: (b.context / ".dockerignore").unlink(),
    "no longer ignored": lambda b: (b.context / ".dockerignore").write_text(""),
    "link": _other_link,
    "removed": lambda b: (b.context / "sub/link").unlink(),
    "attribute": lambda b: os.setxattr(b.context / "file", "user.a", os.urandom(4)),
    "attribute of a directory": lambda b: os.setxattr(b.context, "user.a", os.urandom(4)),
    "owner": lambda b: os.chown(b.context / "file", 7, 7),
    "pipe": lambda b: os.mkfifo(b.context / "pipe"),
    "directory moved away": _moved,
    "tag moved": lambda b: b.sql("UPDATE images SET target = replace(target, ':', ': ')"),
    "tag renamed": lambda b: b.sql("UPDATE images SET reference = 'docker.io/library/b:1'"),
    "tag again": lambda b: b.sql("UPDATE images SET reference = 'docker.io/library/app:latest'"),
    "tags removed": lambda b: b.sql("DELETE FROM images"),
    "result": lambda b: b.sql("UPDATE cache SET description = 'x' WHERE diff_id IS NOT NULL"),
    "result of other inputs": lambda b: b.sql("UPDATE cache SET made_from = NULL"),
    "results removed": lambda b: b.sql("UPDATE cache SET key = 'x' || key"),
    "results again": lambda b: b.sql("UPDATE cache SET key = substr(key, 2)"),
    "format of the state": lambda b: b.sql("ALTER TABLE images RENAME TO other"),
    "blobs damaged": lambda b: b.each_blob(lambda at: at.write_bytes(b"x" * at.stat().st_size)),
    "blobs cut": lambda b: b.each_blob(lambda at: os.truncate(at, 1)),
    "time of blobs": lambda b: b.each_blob(lambda at: os.utime(at, (1, 1))),
    "blobs removed": lambda b: b.each_blob(Path.unlink),
    "module": lambda b: b.lab.module.write_text("value = 2\n"),
    "module before another": lambda b: (b.root / "modules/json.py").write_text(""),
    "proxies of steps": lambda b: _docker_config(b.root),
    "newuidmap": lambda b: (b.root / "second/newuidmap").write_text(""),
    "newuidmap before it": lambda b: (b.root / "first/newuidmap").symlink_to("/bin/true"),
    "trial of overlays": lambda b: next(b.state.glob("snapshots/*/*/*/refused.json")).unlink(),
}


def _docker_config(home: Path) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text("{}")


def test_each_change_of_files_and_of_the_state_is_noticed(bench: Bench) -> None:
    unnoticed = []
    for name, change in _CHANGES.items():
        renew(bench)
        change(bench)
        if bench.lab.would_repeat(bench.line):
            unnoticed.append(name)
        if name == "format of the state":
            bench.sql("ALTER TABLE other RENAME TO images")

    assert not unnoticed


_CAPBSET_DROP, _NO_NEW_PRIVS = 24, 38
_PROCESSES: dict[str, Callable[[Line], Line]] = {
    "more words": lambda line: replace(line, words=(*line.words, "--label", "a=b")),
    "order of words": lambda line: replace(line, words=(line.words[0], ".", *line.words[1:-1])),
    "HOME": lambda line: _with(line, HOME="/"),
    "a new variable": lambda line: _with(line, NEW=""),
    "executor": lambda line: _with(line, IMG_EXECUTOR="chroot"),
    "store": lambda line: _with(line, IMG_STORE="oci-layout"),
    "PATH": lambda line: _with(line, PATH="/usr/bin:/bin"),
    "proxy": lambda line: _with(line, HTTP_PROXY="http://x"),
    "date": lambda line: _with(line, SOURCE_DATE_EPOCH="1"),
    "working directory": lambda line: replace(line, cwd=line.cwd.parent),
    "user": lambda line: replace(line, first="os.setresuid(-1, 1, -1)"),
    "real user": lambda line: replace(line, first="os.setresuid(1, -1, -1)"),
    "group": lambda line: replace(line, first="os.setresgid(-1, 1, -1)"),
    "groups": lambda line: replace(line, first="os.setgroups([1, 2, 3])"),
    "no new privileges": lambda line: _confined(line, _NO_NEW_PRIVS, 1),
    "a capability less": lambda line: _confined(line, _CAPBSET_DROP, 21),
    "version": lambda line: replace(line, first="trace.__version__ = '9'"),
    "Python": lambda line: replace(line, first="sys.version = '4'"),
    "interpreter": lambda line: replace(line, first="sys.executable = '/bin/true'"),
    "modules' directories": lambda line: replace(line, first="sys.path.insert(0, '/tmp')"),
    "format of traces": lambda line: replace(line, first="trace._FORMAT = 0"),
    "kernel": lambda line: replace(line, first="os.uname = lambda: ('Linux', 'b', '9')"),
    "terminal": lambda line: replace(line, first="os.isatty = lambda _: True"),
}


def _with(line: Line, **variables: str) -> Line:
    return replace(line, environment={**line.environment, **variables})


def _confined(line: Line, option: int, value: int) -> Line:
    return replace(line, first=f"ctypes.CDLL(None).prctl({option}, {value}, 0, 0, 0)")


def test_each_difference_of_processes_is_noticed(bench: Bench) -> None:
    renew(bench)

    unnoticed = [
        name for name, other in _PROCESSES.items() if bench.lab.would_repeat(other(bench.line))
    ]

    assert not unnoticed


def test_files_that_are_ignored_and_marks_of_use_do_not_matter(bench: Bench) -> None:
    (bench.context / ".dockerignore").write_text("*.log\n")
    (bench.context / "ignored.log").write_text("before\n")
    left_by_a_cached_build(bench)
    renew(bench)

    (bench.context / "ignored.log").write_text("after\n")
    bench.sql("UPDATE cache SET used = '2020-01-01T00:00:00.000000+00:00', uses = 7")

    assert bench.lab.would_repeat(bench.line)


def test_a_repeated_build_marks_what_it_uses(bench: Bench) -> None:
    renew(bench)
    bench.sql("UPDATE cache SET used = '2020-01-01T00:00:00.000000+00:00', uses = 7")

    assert bench.lab.would_repeat(bench.line)
    assert bench.lab.would_repeat(bench.line)

    with closing(sqlite3.connect(bench.state / "state.db")) as database:
        used = {row[0] for row in database.execute("SELECT uses FROM cache WHERE used > '2021'")}
    assert used == {8}


def test_the_output_is_that_of_a_build_with_everything_cached(tmp_path: Path) -> None:
    need_root()
    write(tmp_path / "context")
    with (tmp_path / "context/Dockerfile").open("a", encoding="utf-8") as dockerfile:
        dockerfile.write("COPY file /caf\u00e9\n")
    line = Line(
        words=("build", "-t", "app", "."),
        cwd=tmp_path / "context",
        environment={
            "HOME": str(tmp_path),
            "IMG_STATE": str(tmp_path / "state"),
            "PATH": "/usr/bin:/bin",
        },
        encoding="latin-1",
    )
    with TraceLab(tmp_path / "modules") as lab:
        bench = Bench(lab, tmp_path, line)
        lab.build(line)
        left_by_a_cached_build(bench)
        repeated = lab.build(line)
        bench.sql("DELETE FROM traces")
        cached = lab.build(line)
        quiet = replace(line, words=("build", "-q", "-t", "app", "."))
        id_ = lab.build(quiet)
        left_by_a_cached_build(replace(bench, line=quiet))

        assert re.sub(r"(DONE|run, in) \d+\.\ds", r"\1 0.0s", cached) == repeated
        assert "CACHED" in repeated
        assert "/caf\udce9\n" in repeated  # one byte
        assert lab.build(quiet) == id_ != ""
        (tmp_path / "context/file").write_text("new\n")
        assert lab.build(quiet) != id_


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", '{"asked": 1, "output": []}', '{"asked": [["x", 1]]}'),
        *('{"output": 1}', '{"asked": [[["shell", "rm"], 1]], "output": []}'),
        *('{"asked": [[["stamp"], 1]]}', '{"asked": [], "output": [[3]]}'),
    ],
)
def test_a_trace_that_is_damaged_is_none(bench: Bench, content: str) -> None:
    renew(bench)
    with closing(sqlite3.connect(bench.state / "state.db")) as database:
        kept = database.execute("SELECT content FROM traces").fetchall()
        database.execute("UPDATE traces SET content = ?", (content,))
        database.commit()

        assert not bench.lab.would_repeat(bench.line)

        database.execute("UPDATE traces SET content = ?", kept[0])
        database.commit()


@pytest.mark.parametrize("is_before", [False, True])
def test_a_repeated_build_imports_few_modules(tmp_path: Path, is_before: bool) -> None:
    need_root()
    write(tmp_path / "context")
    program = (
        "import os, sys; anyway = set(sys.modules); leave = os._exit\n"
        "os._exit = lambda code: print(len(set(sys.modules) - anyway), flush=True) or leave(code)\n"
        "from img.entrypoints.start import main; main()"
    )
    options = ["-s", str(tmp_path / "state"), "-b", "naive"]
    line = [*options, "build"] if is_before else ["build", *options]
    command = [sys.executable, "-c", program, *line, "-t", "app", str(tmp_path / "context")]

    def imports() -> int:
        ended = subprocess.run(
            command,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        return int(ended.stdout)

    normal = imports()
    end = time.monotonic() + _PATIENCE_S
    while (repeated := imports()) > normal // 2:
        assert time.monotonic() < end, "no trace"

    assert repeated <= 99
