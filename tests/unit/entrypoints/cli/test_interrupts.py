"""Interrupts of the command line are not lost."""

import signal
import subprocess
import sys
from typing import NoReturn

import pytest

from img.entrypoints.cli import app, interrupts

_PROGRAM = """
import os, signal, sys, time
from img.entrypoints.cli import interrupts

class Swallowing:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        for _ in range(1000):
            pass

signal.signal(signal.SIGINT, signal.SIG_DFL)
interrupts.install_handlers()
try:
    swallowing = Swallowing()
    del swallowing
    print("dropped", flush=True)
    time.sleep(60)
except {exception}:
    interrupts.ignore()  # as main does: no alarm is to end what tidies up
    print("heeded")
"""


@pytest.mark.parametrize(
    ("number", "exception"),
    [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "interrupts.Terminated")],
)
def test_an_interrupt_that_a_finalizer_drops_is_raised_again(
    number: signal.Signals, exception: str
) -> None:
    program = _PROGRAM.format(name=number.name, exception=exception)

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )

    assert ended.stdout.splitlines() == ["dropped", "heeded"]
    assert ended.stderr == ""


_SWALLOWING = """
import os, signal, time
from img.entrypoints.cli import interrupts

signal.signal(signal.SIGINT, signal.SIG_DFL)
interrupts.install_handlers()
try:
    try:
        os.kill(os.getpid(), signal.{name})
        time.sleep(60)
    except BaseException:
        pass
    print("dropped", flush=True)
    time.sleep(60)
except {exception}:
    interrupts.ignore()  # as main does: no alarm is to end what tidies up
    print("heeded")
"""
_TIDY = """
import os, signal, time
from contextlib import contextmanager
from img.entrypoints.cli import interrupts

@contextmanager
def tidying():
    try:
        yield
    finally:
        try:
            os.stat("/nowhere")
        except OSError:
            time.sleep(0.2)
        time.sleep(0.2)
        print("tidied up", flush=True)

signal.signal(signal.SIGINT, signal.SIG_DFL)
interrupts.install_handlers()
try:
    with tidying():
        os.kill(os.getpid(), signal.{name})
        time.sleep(60)
except {exception}:
    interrupts.ignore()
    time.sleep(0.2)
    interrupts.ignore()  # as main does: no alarm is to end what tidies up
    print("heeded")
time.sleep(0.2)
"""


@pytest.mark.parametrize(
    ("number", "exception"),
    [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "interrupts.Terminated")],
)
@pytest.mark.parametrize(
    ("program", "said"),
    [(_SWALLOWING, ["dropped", "heeded"]), (_TIDY, ["tidied up", "heeded"])],
    ids=["swallowing", "tidy"],
)
def test_an_interrupt_is_raised_until_somebody_handles_it(
    number: signal.Signals, exception: str, program: str, said: list[str]
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", program.format(name=number.name, exception=exception)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert ended.stdout.splitlines() == said
    assert ended.stderr == ""


def test_other_exceptions_of_finalizers_are_told() -> None:
    program = _PROGRAM.format(name="SIGCHLD", exception="KeyboardInterrupt")
    program = program.replace("os.kill(os.getpid(), signal.SIGCHLD)", "raise ValueError('told')")
    program = program.replace("time.sleep(60)", "")

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )

    assert "ValueError: told" in ended.stderr


@pytest.mark.parametrize(
    ("interrupt", "code"), [(KeyboardInterrupt, 130), (interrupts.Terminated, 143)]
)
def test_an_interrupt_while_a_class_is_made_is_one(
    interrupt: type[BaseException], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting:
        def __set_name__(self, _owner: type, _name: str) -> None:
            raise interrupt

    def importing(_arguments: object) -> NoReturn:
        type("Made", (), {"attribute": Interrupting()})
        pytest.fail("a class was made")

    monkeypatch.setattr(app, "command_line", importing)

    assert app.run(["ls"]) == code


_LEAVING = """
import os, signal, time
from img.entrypoints.cli import app, interrupts

def run(arguments):
    try:
        os.kill(os.getpid(), signal.{name})
        time.sleep(60)
    except {exception}:
        pass
    return sum(range(10**8)) and 0  # longer than the pause of the alarm, as freed memory may take

signal.signal(signal.SIGINT, signal.SIG_DFL)
app.run = run
app.main([])
"""


@pytest.mark.parametrize(
    ("number", "exception", "code"),
    [(signal.SIGINT, "KeyboardInterrupt", 130), (signal.SIGTERM, "interrupts.Terminated", 143)],
)
def test_an_interrupt_that_is_raised_again_at_the_end_shows_no_traceback(
    number: signal.Signals, exception: str, code: int
) -> None:
    program = _LEAVING.format(name=number.name, exception=exception)

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30
    )

    assert (ended.returncode, ended.stderr) == (code, "")
