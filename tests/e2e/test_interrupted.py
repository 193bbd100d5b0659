"""A build that does not come to its end leaves nothing behind."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, WriteContext
from tests.support.host.machine import mounts_naming, processes_naming
from tests.support.host.waiting import wait_until

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_PATIENCE_S = 60.0


def partial_blobs(state: Path) -> list[Path]:
    """Return files of the blob store that are not named by the digest of what they hold."""
    from hashlib import sha256

    return [
        path
        for path in (state / "blobs").rglob("*")
        if path.is_file()
        and (
            not re.fullmatch(r"[0-9a-f]{64}", path.name)
            or sha256(path.read_bytes()).hexdigest() != path.name
        )
    ]


class Sleeper:
    """A build in the middle of a RUN, which writes and then sleeps a time of its own."""

    def __init__(self, img: Img, context: Path, length: str, *options: str) -> None:
        self.img = img
        self.length = length
        self.process = img.start("build", *options, "-t", "sleeper", context)
        wait_until(self.processes, "the RUN starts")

    def processes(self) -> list[str]:
        """Return the processes that sleep."""
        return [line for line in processes_naming(self.length) if f"sleep {self.length}" in line]

    def end(self) -> tuple[bytes, bytes]:
        """Wait for img's own end."""
        return self.process.communicate(timeout=_PATIENCE_S)


@pytest.fixture
def sleeper(img: Img, busybox: str, write_context: WriteContext) -> Sleeper:
    length = f"9{os.getpid()}.{time.time_ns() % 10**9}"
    context = write_context(
        f"FROM {busybox}\nRUN echo half > /half; sleep {length}\nCOPY f /\n", {"f": "f"}
    )
    return Sleeper(img, context, length)


def assert_nothing_left(sleeper: Sleeper) -> None:
    state = str(sleeper.img.state)
    wait_until(lambda: not sleeper.processes(), "the step's processes end")
    wait_until(lambda: not processes_naming(state), "img's processes end")
    assert mounts_naming(state) == []
    assert partial_blobs(sleeper.img.state) == []


def test_sigkill_leaves_no_process_no_mount_and_no_partial_blob_and_the_next_build_goes_on(
    sleeper: Sleeper, busybox: str, write_context: WriteContext
) -> None:
    sleeper.process.kill()
    sleeper.end()

    assert_nothing_left(sleeper)
    assert "sleeper" not in sleeper.img("ls").stdout
    context = write_context(f"FROM {busybox}\nRUN test ! -e /half\nCOPY f /\n", {"f": "f"})
    sleeper.img("build", "-t", "next", context)
    assert list((sleeper.img.state / "tmp").iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_end_the_build_with_their_exit_codes_and_leave_nothing(
    sleeper: Sleeper, number: signal.Signals, code: int
) -> None:
    sleeper.process.send_signal(number)

    outcome = Img.outcome(sleeper.process, *sleeper.end(), code)
    assert "Successfully" not in outcome.stderr
    assert_nothing_left(sleeper)
    assert "sleeper" not in sleeper.img("ls").stdout
    assert list((sleeper.img.state / "tmp").iterdir()) == []


def test_ctrl_c_at_a_terminal_reaches_the_whole_group_and_still_ends_with_130(
    sleeper: Sleeper,
) -> None:
    os.killpg(sleeper.process.pid, signal.SIGINT)

    Img.outcome(sleeper.process, *sleeper.end(), 130)
    assert_nothing_left(sleeper)


def test_a_failing_run_shows_its_output_the_excerpt_and_the_status_and_names_nothing(
    img: Img, busybox: str, write_context: WriteContext
) -> None:
    context = write_context(
        f"FROM {busybox}\n\nRUN echo to-stdout; echo to-stderr >&2; \\\n    exit 42\nRUN true\n"
    )

    outcome = img("build", "-t", "broken", context, code=4)

    assert "to-stdout" in outcome.stderr
    assert "to-stderr" in outcome.stderr
    assert "   3 | >>> RUN echo to-stdout" in outcome.stderr
    assert re.search(r"^Dockerfile:3$", outcome.stderr, re.M)
    assert "exit code: 42" in outcome.error_line
    assert "broken" not in img("ls").stdout
    img("inspect", "broken", code=7)


def test_a_pipe_that_closes_early_ends_save_without_a_traceback(
    img: Img, busybox: str, write_context: WriteContext
) -> None:
    img("build", "-t", "app", write_context(f"FROM {busybox}\nCOPY f /\n", {"f": "f" * 10**6}))

    process = img.start("save", "app")
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    process.wait(timeout=_PATIENCE_S)

    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    assert process.returncode not in (0, -subprocess.signal.SIGSEGV)  # type: ignore[attr-defined]
    for stream in (process.stdin, process.stderr):
        stream and stream.close()
