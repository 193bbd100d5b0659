"""``img unshare``: another program in the place of img, inside."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.host.machine import REPOSITORY

pytestmark = pytest.mark.userns

IMG = (sys.executable, "-m", "img", "unshare")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(REPOSITORY),
        "MARK": "seen",
    }


def unshare(
    environment: dict[str, str], *command: str, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*IMG, *command],
        capture_output=True,
        text=True,
        check=False,
        input=stdin,
        cwd="/usr",
        env=environment,
    )


def test_it_is_the_root_of_builds_and_all_else_stays(environment: dict[str, str]) -> None:
    script = "id -u; pwd; echo $MARK $HOME; cat; echo said >&2"

    told = unshare(environment, "sh", "-c", script, stdin="put in")

    expected = ["0", "/usr", f"seen {environment['HOME']}", "put in"]
    assert (told.returncode, told.stdout.splitlines()) == (0, expected)
    assert told.stderr == "said\n"


def test_it_may_mount_and_nobody_else_sees_it(environment: dict[str, str]) -> None:
    told = unshare(environment, "sh", "-c", "mount -t tmpfs t /mnt && touch /mnt/img-was-here")

    assert told.returncode == 0, told.stderr
    assert not Path("/mnt/img-was-here").exists()


def test_no_state_is_needed_or_made(environment: dict[str, str], tmp_path: Path) -> None:
    environment["IMG_STATE"] = "/proc/nowhere"

    assert unshare(environment, "true").returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_what_follows_the_command_is_its_own(environment: dict[str, str]) -> None:
    words = ["echo", "-state", "--help", "-d", "--", "-x"]

    assert unshare(environment, *words).stdout == "-state --help -d -- -x\n"
    assert unshare(environment, "--", *words).stdout == "-state --help -d -- -x\n"


@pytest.mark.parametrize("code", [0, 1, 7, 126, 255])
def test_the_exit_code_is_the_commands(environment: dict[str, str], code: int) -> None:
    assert unshare(environment, "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE])
def test_signals_are_the_commands(environment: dict[str, str], how: signal.Signals) -> None:
    assert unshare(environment, "sh", "-c", f"kill -{how.value} $$").returncode == -how


def test_a_pipe_that_nobody_reads_ends_it(environment: dict[str, str]) -> None:
    told = unshare(environment, "bash", "-c", "yes | head -1; echo ${PIPESTATUS[0]}")

    assert told.stdout.split() == ["y", str(128 + signal.SIGPIPE)]
    assert told.stderr == ""


def test_signals_reach_it_and_it_has_no_children_that_it_did_not_start(
    environment: dict[str, str],
) -> None:
    script = "trap 'echo came; exit 5' USR1; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(
        [*IMG, "sh", "-c", script], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.read() == "came\n"
    assert process.returncode == 5
    assert len(children) <= 1  # the sleep


def test_the_terminal_is_the_commands(environment: dict[str, str]) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(IMG[0], [*IMG, "sh", "-c", "test -t 0 && test -t 1 && tty"], environment)
    said = b""
    try:
        while piece := os.read(terminal, 1024):
            said += piece
    except OSError:  # the other end is closed
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, said
    assert b"/dev/pts/" in said


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        ("no-such-thing", 127, "no such file or directory"),
        ("/etc/passwd", 126, "permission denied"),
    ],
)
def test_what_cannot_be_run_is_named(
    environment: dict[str, str], command: str, code: int, reason: str
) -> None:
    told = unshare(environment, command)

    assert (told.returncode, told.stderr) == (code, f"Error: {command}: {reason}\n")


@pytest.mark.parametrize("words", [(), ("",), ("", "x")])
def test_without_a_command_it_says_what_is_missing(
    environment: dict[str, str], words: tuple[str, ...]
) -> None:
    told = unshare(environment, *words)

    assert told.returncode == 1
    assert told.stderr.startswith("Error: no command")
