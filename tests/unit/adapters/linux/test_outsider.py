import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from img.adapters.linux.outsider import HelperRunner, Outsider, run_here


@pytest.fixture(params=["here", "outsider"])
def run(request: pytest.FixtureRequest) -> HelperRunner:
    if request.param == "here":
        return run_here
    outsider = Outsider()
    request.addfinalizer(outsider.close)
    return outsider.run


def test_a_helper_gets_its_input_and_its_answer_comes_back_byte_for_byte(run: HelperRunner) -> None:
    every_byte = bytes(range(256)) * 2000

    result = run(["sh", "-c", "cat; echo problem >&2; exit 3"], every_byte)

    assert (result.code, result.stdout, result.stderr) == (3, every_byte, b"problem\n")


def test_a_helper_that_does_not_exist_is_not_found(run: HelperRunner) -> None:
    with pytest.raises(FileNotFoundError):
        run(["docker-credential-no-such-thing"], b"")


def test_helpers_may_be_asked_again_and_again(run: HelperRunner) -> None:
    answers = [run(["echo", str(number)], b"").stdout for number in range(5)]

    assert answers == [b"0\n", b"1\n", b"2\n", b"3\n", b"4\n"]


def test_an_outsider_that_was_closed_says_so() -> None:
    outsider = Outsider()
    outsider.close()
    outsider.close()

    with pytest.raises((ValueError, OSError)):
        outsider.run(["true"], b"")


def test_nobody_is_left_behind() -> None:
    outsider = Outsider()
    pid = outsider._pid

    outsider.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_outsider_is_closed_while_a_helper_hangs(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    outsider = Outsider()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(outsider.run, ["sh", "-c", f"echo $$ >{pipe}; exec sleep 600"], b"")
        helper = int(pipe.read_text())

        outsider.close()

        assert isinstance(asked.exception(60), ConnectionResetError)
        os.kill(helper, signal.SIGKILL)


def test_an_outsider_keeps_no_descriptor_of_its_parent_open() -> None:
    reading, writing = os.pipe()
    outsider = Outsider()

    os.close(writing)

    assert outsider.run(["true"], b"").code == 0
    assert os.read(reading, 1) == b""  # the end of the pipe
    os.close(reading)
    outsider.close()
