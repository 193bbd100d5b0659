"""A shell on a pseudo-terminal of its own, by each executor."""

import os
import signal
import socket
import termios
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from img.adapters.executor import reports
from img.adapters.executor.fork_server_executor import ForkServerExecutor
from img.adapters.linux import terminal_modes
from img.adapters.terminal.local import LocalTerminal
from img.application.ports.executor import ProcessNotStarted
from img.domain.process import ExitStatus, TerminalSize
from tests.support.host.typed_terminal import TypedTerminal, typed_terminal
from tests.support.steps.executors import ALL, ISOLATED, executor_named
from tests.support.steps.small_servers import SmallForkServer
from tests.support.steps.step_roots import PASSWD, in_env, step_root

pytestmark = pytest.mark.userns

_PROMPT = "% "


@pytest.fixture
def user() -> Iterator[TypedTerminal]:
    with typed_terminal() as made:
        yield made


def run_shell(
    name: str, user: TypedTerminal, act: Callable[[], None], argv: tuple[str, ...], who: str = ""
) -> ExitStatus:
    """Run a command by the executor ``name``, while another thread does what the person does."""
    executor = executor_named(name)
    terminal = LocalTerminal(user.device, user.device)
    process = in_env(argv=argv, env={"PS1": _PROMPT}, user=who, terminal=terminal.size())
    try:
        with step_root("directory") as root, ThreadPoolExecutor(1) as person:
            root.write("etc/passwd", PASSWD)
            cancelled = threading.Event()
            acting = person.submit(act)
            acting.add_done_callback(partial(_cancel_after_failure, cancelled))
            status = executor.run(process, root.root, lambda *_: None, cancelled, terminal)
            acting.result()
            return status
    finally:
        executor.close()


def _cancel_after_failure(cancelled: threading.Event, acting: "Future[None]") -> None:
    if acting.exception() is not None:
        cancelled.set()


@pytest.mark.parametrize("name", ALL)
def test_a_shell_has_a_terminal_with_job_control(name: str, user: TypedTerminal) -> None:
    theirs = os.fstat(user.device)
    job = "(echo run''ning; exec sleep 100)\r"

    def act() -> None:
        user.until(_PROMPT)
        assert not user.echoes
        user.type("stty size; stat -Lc %d:%t:%T: /proc/self/fd/0\r")
        user.until("33 101\r\n")
        for key, effect in ("\x03", "^C"), ("\x1a", "Stopped"):
            user.until(_PROMPT)
            user.type(job)
            user.until("running\r\n")
            user.type(key)
            user.until(effect)
        user.until(_PROMPT)
        user.resize(40, 120)
        # The kernel tells the session of the terminal, and the test has another one.
        os.kill(os.getpid(), signal.SIGWINCH)
        user.type("kill -9 %1; sleep 0.2; stty size; exit 7\r")

    status = run_shell(name, user, act, ("/bin/sh",))
    user.until("33 101\r\n" if name == "crun" else "40 120\r\n")  # crun passes no new size on

    assert status == ExitStatus(7)
    assert user.echoes
    number = f"{os.major(theirs.st_rdev):x}:{os.minor(theirs.st_rdev):x}"
    assert f"{theirs.st_dev}:{number}:" not in user.shown
    assert ":88:" in user.shown  # it is a pseudo-terminal (kernel devices.txt)


@pytest.mark.parametrize("name", ISOLATED)
def test_the_terminal_has_a_name_and_belongs_to_the_user_of_the_step(
    name: str, user: TypedTerminal
) -> None:
    command = ("/bin/sh", "-c", "tty; echo written >/dev/stdout")

    status = run_shell(name, user, lambda: user.until("written\r\n"), command, who="app")

    assert status.success
    assert user.shown.startswith("/dev/pts/0\r\n")


def test_much_input_for_a_program_that_reads_nothing_stops_nothing(user: TypedTerminal) -> None:
    def act() -> None:
        user.until("ready")
        for _ in range(8):
            user.type("x" * 1000 + "\r")
        user.until("done")

    command = ("/bin/sh", "-c", "stty -echo; echo ready; seq 20000; sleep 0.5; echo done")

    assert run_shell("unshare", user, act, command).success
    assert "\r\n20000\r\n" in user.shown


def test_a_killed_img_leaves_the_terminal_as_it_was_also_if_its_step_ends_first(
    user: TypedTerminal,
) -> None:
    former = termios.tcgetattr(user.device)
    executor = executor_named("unshare")
    assert isinstance(executor, ForkServerExecutor)
    server = SmallForkServer()
    kept: list[int] = []  # the master of the step's terminal: a hang-up would end the step
    try:
        with step_root("directory") as root, open(os.devnull, "wb") as output:
            process = in_env(argv=("/bin/sleep", "100"), terminal=TerminalSize())
            launch = executor.launcher.launch(process, root.root)
            channel = server.start(launch, output.fileno(), output.fileno(), user.device)
            with channel:
                reports_of(channel, reports.Starting, kept)
                terminal_modes.apply(user.device, terminal_modes.raw(former))
                channel.send(b"kill")
                reports_of(channel, reports.Ended, kept)
    finally:
        server.close()  # as at the end of the process that made it
        executor.close()
        for descriptor in kept:
            os.close(descriptor)

    assert user.echoes


def reports_of(channel: socket.socket, last: type[reports.Report], kept: list[int]) -> None:
    """Read reports up to one of the class ``last``; ``kept`` gets the descriptors with them."""
    while not isinstance(report := reports.receive(channel, kept), last):
        assert report is not None


def test_a_program_that_is_missing_leaves_the_terminal_as_it_was(user: TypedTerminal) -> None:
    with pytest.raises(ProcessNotStarted):
        run_shell("unshare", user, lambda: None, ("/missing",))

    assert user.echoes
