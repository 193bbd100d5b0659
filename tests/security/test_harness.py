"""The harness itself: each kind of harm that it looks for is seen, told with a seed, and kept."""

import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from img.domain.errors import ImgError
from tests.security import fuzzing
from tests.security.fuzzing import Target, failure_of, fuzz
from tests.security.markers import Markers, files_with_the_token


class Planted(Target[list[int]]):
    """A fault that shows where 7 is among the numbers."""

    name = "planted"

    def __init__(self, harm: Callable[[], object], markers: Markers | None = None) -> None:
        self._harm = harm
        self._markers = markers

    def make(self, rng: random.Random) -> list[int]:
        return [rng.randrange(10) for _ in range(6)]

    def take(self, given: list[int]) -> None:
        if 7 in given:
            self._harm()

    def broken(self) -> str:
        return str(self._markers.changes() or "") if self._markers else ""

    def smaller(self, given: list[int]) -> Iterator[list[int]]:
        return (given[:at] + given[at + 1 :] for at in range(len(given)))


def _raise(error: BaseException) -> None:
    raise error


def _use_memory() -> None:
    assert len(bytearray(os.urandom(1)) * (300 << 20)) == 300 << 20


@pytest.fixture
def markers(tmp_path: Path) -> Markers:
    return Markers(tmp_path)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda: _raise(OverflowError("x")), "an error that is no ImgError"),
        (lambda: _raise(ImgError("")), "a refusal without words"),
        (_use_memory, "MiB of memory"),
        (lambda: time.sleep(2), "took longer than"),
    ],
)
def test_a_wrong_outcome_is_a_failure(
    harm: Callable[[], object], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if told == "took longer than":
        monkeypatch.setattr(fuzzing, "_TIME_LIMIT_S", 0.5)

    assert told in failure_of(Planted(harm), [7])
    assert failure_of(Planted(harm), [1]) == ""


def test_a_refusal_is_none() -> None:
    assert failure_of(Planted(lambda: _raise(ImgError("no"))), [7]) == ""


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: (path / "secret").write_text("x"),
        lambda path: (path / "secret").chmod(0o644),
        lambda path: (path / "open").unlink(),
        lambda path: os.link(path / "secret", path.parent / "outside/public/other"),
        lambda path: os.utime(path / "private"),
        lambda path: os.setxattr(path / "program", "user.x", b""),
        lambda path: (path.parent / "beside").touch(),
        lambda path: os.system(path / "program"),
    ],
)
def test_whatever_is_done_to_the_markers_is_seen(
    markers: Markers, harm: Callable[[Path], object]
) -> None:
    assert markers.changes() == []
    harm(markers.path)
    assert markers.changes() != []


def test_what_was_read_of_the_markers_is_found(markers: Markers, tmp_path: Path) -> None:
    assert list(files_with_the_token(tmp_path / "out")) == []
    (tmp_path / "out/sub").mkdir(parents=True)
    (tmp_path / "out/sub/copy").write_bytes(b"x" + (markers.path / "secret").read_bytes())

    assert list(files_with_the_token(tmp_path / "out")) == [tmp_path / "out/sub/copy"]


def test_a_failure_tells_its_seed_and_keeps_the_smallest_input(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    planted = Planted(lambda: _raise(ValueError("x")))

    with pytest.raises(AssertionError) as caught:
        fuzz(planted, range(1, 1000))

    found = re.search(r"fuzz planted --seed (\d+) --count 1", str(caught.value))
    assert found
    with pytest.raises(AssertionError):
        fuzz(planted, range(int(found[1]), int(found[1]) + 1))
    kept = next(path for path in tmp_path.iterdir() if str(path) in str(caught.value))
    assert (kept / "input").read_text() == "[7]"
    assert "ValueError" in (kept / "reason").read_text()
