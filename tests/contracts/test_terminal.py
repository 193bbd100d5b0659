"""Contract tests of terminals."""

import os
import signal
from collections.abc import Iterator

import pytest

from img.adapters.terminal.local import LocalTerminal
from img.adapters.terminal.memory import MemoryTerminal
from img.application.ports.terminal import Terminal
from img.domain.process import TerminalSize
from img.testing.terminal import TerminalContract
from tests.support.host.typed_terminal import TypedTerminal, typed_terminal


@pytest.fixture
def user() -> Iterator[TypedTerminal]:
    with typed_terminal() as made:
        yield made


@pytest.fixture(params=["local", "memory"])
def terminal(request: pytest.FixtureRequest, user: TypedTerminal) -> Terminal:
    """Return a terminal, at which "key" is typed."""
    if request.param == "memory":
        return MemoryTerminal(b"key")
    user.type("key")
    return LocalTerminal(user.device, user.device)


class TestTerminal(TerminalContract):
    pass


def test_the_size_is_that_of_the_terminal(user: TypedTerminal) -> None:
    assert LocalTerminal(user.device).size() == TerminalSize(33, 101)


def test_raw_mode_passes_each_key_on_and_ends_with_its_context(user: TypedTerminal) -> None:
    terminal = LocalTerminal(user.device, user.device)
    handlers = [signal.getsignal(number) for number in (signal.SIGWINCH, signal.SIGCONT)]

    with pytest.raises(KeyboardInterrupt), terminal.raw(lambda: None):
        assert not user.echoes
        user.type("\x03\x04\x1a\r")
        assert terminal.read() == b"\x03\x04\x1a\r"
        raise KeyboardInterrupt

    assert user.echoes
    assert [signal.getsignal(number) for number in (signal.SIGWINCH, signal.SIGCONT)] == handlers


def test_what_is_written_is_shown_without_changes(user: TypedTerminal) -> None:
    terminal = LocalTerminal(user.device, user.device)

    with terminal.raw(lambda: None):
        terminal.write(b"one\ntwo\x1b[0m")
        user.until("two\x1b[0m")

    assert user.shown == "one\ntwo\x1b[0m"


def test_a_new_size_is_announced(user: TypedTerminal) -> None:
    terminal = LocalTerminal(user.device, user.device)
    sizes: list[TerminalSize] = []

    with terminal.raw(lambda: sizes.append(terminal.size())):
        user.resize(40, 120)
        os.kill(os.getpid(), signal.SIGWINCH)

    assert sizes == [TerminalSize(40, 120)]


def test_a_terminal_without_a_size_has_the_usual_one(user: TypedTerminal) -> None:
    user.resize(0, 0)

    assert LocalTerminal(user.device).size() == TerminalSize(24, 80)


def test_a_pipe_is_no_terminal() -> None:
    end, other = os.pipe()
    os.close(other)
    try:
        terminal = LocalTerminal(end)
        assert not terminal.is_present()
        assert terminal.read() == b""
    finally:
        os.close(end)
