"""The process of the Python API: interrupted, cancelled, shared by mistake, or not to be had."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import img
from img.entrypoints.api.engine import Engine
from img.entrypoints.api.reader import ImageReader
from img.entrypoints.engine.protocol import Chunk, End, OpenImage, Read, Run

_SOON_S = 15.0  # less than the patience with an engine that does not end


class Impatient(TimeoutError):
    """The exception of a caller's signal handler; an OSError, like those of a lost connection."""


@contextmanager
def waiting_engine() -> Iterator[Engine]:
    """Enter with an engine, and an alarm that raises while the engine waits for its context."""

    def interrupt(*_: object) -> None:
        raise Impatient

    before = signal.signal(signal.SIGALRM, interrupt)
    archive, feed = os.pipe()
    try:
        with open(archive, "rb") as stdin, open(feed, "wb"), Engine(stdin=stdin) as engine:
            yield engine
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def wait_for_context(engine: Engine) -> None:
    begun: list[img.Progress] = []

    def begin(event: img.Progress) -> None:
        if not begun:
            begun.append(event)
            signal.setitimer(signal.ITIMER_REAL, 0.05)

    engine.ask(Run(("build", "--quiet", "-")), begin)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG_STATE", str(tmp_path / "state"))


def test_an_exception_of_a_signal_handler_closes_the_engine_though_sigterm_is_blocked() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        with waiting_engine() as engine:
            began = time.monotonic()
            with pytest.raises(Impatient):
                wait_for_context(engine)

            assert not engine.is_open
            assert time.monotonic() - began < _SOON_S
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# An engine that sends the path of a file as its content, and a signal before the second half.
INTERRUPTING = f"""\
#!{sys.executable}
import os, signal, socket, sys
sys.path.insert(0, sys.argv[-1])
from img.entrypoints.engine.protocol import *
connection = socket.socket(fileno=int(sys.argv[-2]))
requests = connection.makefile("rb")
image = ImageRecord(digest="d", media_type="m", size=0, document_size=0)
while request := read_request(requests):
    if isinstance(request, OpenImage):
        opened = Opened(image=image, manifest=b"", config=b"", state="")
        connection.sendall(line_of(opened))
        continue
    connection.sendall(line_of(Chunk(request.path[:3].encode())))
    if request.path == "interrupted":
        os.kill(os.getppid(), signal.SIGUSR1)
    connection.sendall(line_of(Chunk(request.path[3:].encode())) + line_of(End()))
"""


def test_no_answer_is_left_for_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_as_python(INTERRUPTING, tmp_path, monkeypatch)
    reader = ImageReader(OpenImage(name="app"))

    def interrupt(*_: object) -> None:
        raise RuntimeError("by a signal")

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(RuntimeError, match="by a signal"):
            reader.ask(Read("interrupted"))
        assert reader.ask(Read("another")) == [Chunk(b"ano"), Chunk(b"ther"), End()]
    finally:
        signal.signal(signal.SIGUSR1, before)
        reader.close()


def use_as_python(text: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = place / "python"
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_a_process_with_a_copy_of_the_connection_does_not_keep_the_engine() -> None:
    engine = Engine()
    copy = os.dup(engine._connection.fileno())
    holder = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, pass_fds=(copy,))
    os.close(copy)
    try:
        began = time.monotonic()
        engine.close()
        assert time.monotonic() - began < _SOON_S
    finally:
        holder.communicate(b"\n")


def test_a_forked_process_does_not_end_the_engine_of_its_parent() -> None:
    with Engine() as engine:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                engine.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert engine.ask(Run(("ls",)))


def test_an_engine_that_does_not_end_is_killed_and_hides_no_exception(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("img.entrypoints.api.engine._PATIENCE_S", 0.1)

    with pytest.raises(Impatient), stopped_engine():
        raise Impatient
    with pytest.raises(img.EngineEnded, match="signal 9"), stopped_engine():
        pass


@contextmanager
def stopped_engine() -> Iterator[Engine]:
    with Engine() as engine:
        os.kill(engine.pid, signal.SIGSTOP)
        yield engine


def test_what_an_engine_wrote_is_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_as_python("#!/bin/sh\nprintf '\\033[2Jno memory' >&2\nexit 3\n", tmp_path, monkeypatch)

    with pytest.raises(img.EngineEnded, match=r"exit status 3: \\x1b\[2Jno memory"):
        img.images()


def test_a_program_that_is_frozen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)

    with pytest.raises(img.HostError, match="cannot start again"):
        img.images()


def test_the_engine_is_the_img_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "img").mkdir()
    (tmp_path / "img/__init__.py").write_text("raise SystemExit('another img')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    assert img.images() == ()
