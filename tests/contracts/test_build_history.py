"""Contract tests of stores of records of builds."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from img.adapters.build_history import files
from img.adapters.build_history.files import FileBuildHistory
from img.adapters.build_history.memory import MemoryBuildHistory
from img.application.ports.build_history import BuildHistory, LogPiece, RecordNotFound
from img.application.usecases.read_history import ReadHistory
from img.domain.history.record import record_of
from img.testing.build_history import BuildHistoryContract

_KILLS = 200
_MOST_ENTRIES = 100
_LARGE = 50 << 20  # bytes


def in_memory(_root: Path) -> BuildHistory:
    return MemoryBuildHistory()


@pytest.fixture(params=[FileBuildHistory, in_memory])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> BuildHistory:
    make: Callable[[Path], BuildHistory] = request.param
    return make(tmp_path)


class TestBuildHistory(BuildHistoryContract):
    pass


def test_fifty_megabytes_of_output_come_back_byte_for_byte(tmp_path: Path) -> None:
    history = FileBuildHistory(tmp_path)
    part = Random(1).randbytes(3 << 10) + b"make[1]: Entering directory\n" * 4096
    writer, written = history.begin(1), 0
    while written < _LARGE:
        writer.output(LogPiece(0, 1, written // 4096, part))
        written += len(part)
    writer.close()

    pieces = [piece.data for piece in history.output(writer.id)]

    assert len(pieces) * len(part) == written
    assert set(pieces) == {part}
    assert history.size(writer.id) < written / 10


def test_a_record_survives_a_kill_at_any_time(tmp_path: Path) -> None:
    history, random = FileBuildHistory(tmp_path), Random(7)
    for number in range(_KILLS):
        child = os.fork()
        if child == 0:
            _write_until_killed(history, float(number))
        time.sleep(random.random() / 500)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    for stored in history.records():
        entries = [*history.journal(stored.id)]
        assert not history.is_running(stored.id)
        assert [entry["n"] for entry in entries] == [*range(len(entries))]
        data = b"".join(piece.data for piece in history.output(stored.id))
        assert data == b"line of output\n" * (len(data) // 15)
        assert record_of(entries, id=stored.id, started=1).status == "interrupted"
        history.remove(stored.id)
    assert [*(tmp_path / "history").iterdir()] == []


def _write_until_killed(history: FileBuildHistory, started: float) -> None:
    try:
        writer, number = history.begin(started), 0
        while number < _MOST_ENTRIES:
            writer.note({"e": "received", "v": "a", "n": number, "filler": "x" * 300})
            writer.output(LogPiece(0, 1, number * 100, b"line of output\n"))
            number += 1
        signal.pause()
    finally:
        os._exit(1)


def test_output_is_on_disk_soon_although_no_more_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_FLUSH_S", 0.01)
    history = FileBuildHistory(tmp_path)
    writer = history.begin(1)
    writer.output(LogPiece(0, 1, 5, b"waiting for a lock\n"))

    for _ in range(500):
        if found := [piece.data for piece in history.output(writer.id)]:
            break
        time.sleep(0.01)

    assert found == [b"waiting for a lock\n"]
    writer.close()


@pytest.mark.parametrize("damage", [b"", b"\xff\n{", b"[]\n1\nnull\n", b'{"e": ' + b"[" * 10_000])
def test_a_damaged_record_is_read_as_far_as_it_makes_sense(tmp_path: Path, damage: bytes) -> None:
    history = FileBuildHistory(tmp_path)
    writer = history.begin(1)
    writer.output(LogPiece(0, 1, 0, b"a"))
    writer.close()
    for path in (tmp_path / "history").iterdir():
        path.write_bytes(damage)

    assert [*history.journal(writer.id)] == []
    assert [*history.output(writer.id)] == []


def test_links_and_foreign_files_are_not_followed(tmp_path: Path) -> None:
    history = FileBuildHistory(tmp_path)
    history.begin(1).close()
    directory = tmp_path / "history"
    (directory / "README").write_text("{}")
    (directory / "0000000000000001-0123456789ab.journal").symlink_to("/etc/passwd")
    os.mkfifo(directory / "0000000000000002-0123456789ac.journal")
    (directory / f"{'9' * 40}-0123456789ad.journal").write_text("{}")

    for stored in history.records():
        if stored.id.startswith("0123"):
            with pytest.raises(RecordNotFound):
                history.journal(stored.id)
        else:
            assert [*history.journal(stored.id)] == []
    assert [each.started for each in ReadHistory(history=history).all()] == [1]


def test_a_state_that_cannot_be_written_leaves_no_record(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("")
    history = FileBuildHistory(tmp_path)
    writer = history.begin(1)
    writer.note({"e": "asked"})
    writer.output(LogPiece(0, 1, 0, b"a"))
    writer.close()

    assert [*history.records()] == []
