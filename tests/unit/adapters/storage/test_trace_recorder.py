"""Recording of the questions of a build, and the adapters that record."""

import os
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from img.adapters.blob_store.recorded import RecordedBlobStore
from img.adapters.build_context.recorded import RecordedContexts, RecordedDirectory
from img.adapters.file_digest_store.memory import MemoryFileDigestStore
from img.adapters.index_store.recorded import RecordedIndexStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.scratch_space.files import FileScratchSpace
from img.adapters.storage.recorded_database import RecordedDatabase
from img.adapters.storage.trace_questions import IDENTITY, REAL, STAMP, TARGET, TEXT, ask, is_racy
from img.adapters.storage.trace_recorder import TraceRecorder, methods_of
from img.application.ports.blob_store import BlobStore, BlobTrash
from img.application.ports.build_context import BuildContext, ContextSource, Dockerfiles
from img.application.ports.index_store import IndexStore
from img.domain.digest import Digest

_ASKED_AGAIN: dict[type, set[str]] = {
    RecordedBlobStore: {"open", "size"},
    RecordedIndexStore: {"get"},
    RecordedContexts: {"dockerfile", "ignore_file", "is_directory", "open"},
    RecordedDirectory: {"fingerprint"},
}
_PORTS: dict[type, tuple[type, ...]] = {
    RecordedBlobStore: (BlobStore, BlobTrash),
    RecordedIndexStore: (IndexStore,),
    RecordedContexts: (ContextSource, Dockerfiles),
    RecordedDirectory: (BuildContext,),
}


def settled(path: Path) -> Path:
    """Return ``path``, which is written, when its last change is long ago."""
    while is_racy(path.stat().st_ctime_ns, time.time_ns()):
        os.sched_yield()
    return path


@pytest.mark.parametrize("adapter", _ASKED_AGAIN)
def test_all_but_questions_that_can_be_asked_again_stops_the_recording(adapter: type) -> None:
    names = methods_of(*_PORTS[adapter])

    recorded = {name for name in names if vars(adapter)[name].__name__ == name}
    assert recorded == _ASKED_AGAIN[adapter]


@pytest.mark.parametrize("kind", [STAMP, TARGET, IDENTITY, REAL, TEXT])
def test_absence_is_an_answer(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    before = ask([kind, str(path)])

    path.write_text("text")

    assert before is None
    assert ask([kind, str(path)]) not in (None, before)


def test_a_file_that_has_just_changed_stops_the_recording(tmp_path: Path) -> None:
    recorder = TraceRecorder()
    (tmp_path / "file").write_text("text")

    recorder.ask([STAMP, str(tmp_path / "file")])

    assert "has just changed" in recorder.obstacle


def test_a_file_that_changes_during_the_build_stops_the_recording(tmp_path: Path) -> None:
    recorder = TraceRecorder()
    (tmp_path / "file").write_text("text")
    recorder.ask([STAMP, str(settled(tmp_path / "file"))])
    assert not recorder.obstacle

    (tmp_path / "file").write_text("other")
    recorder.ask([STAMP, str(settled(tmp_path / "file"))])

    assert "changed during the build" in recorder.obstacle


def test_nothing_is_recorded_after_the_end(tmp_path: Path) -> None:
    recorder = TraceRecorder()
    recorder.end()

    recorder.ask([IDENTITY, str(tmp_path)])
    recorder.stop("too late")

    assert not recorder.asked
    assert not recorder.obstacle


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.writer().abort(),
        lambda store: store.remove(Digest.of(b"")),
        lambda store: list(store.digests()),
        lambda store: list(store.marked_for_deletion()),
    ],
)
def test_a_change_of_blobs_stops_the_recording(
    change: Callable[[RecordedBlobStore], object], tmp_path: Path
) -> None:
    recorder = TraceRecorder()

    change(RecordedBlobStore(tmp_path, recorder))

    assert recorder.obstacle


def test_a_transaction_stops_the_recording_unless_it_marks_use(tmp_path: Path) -> None:
    recorder = TraceRecorder()
    database = RecordedDatabase(tmp_path / "state.db", recorder)
    with database.transaction(marks=True):
        assert not recorder.obstacle

    with database.transaction():
        pass

    assert recorder.obstacle
    database.close()


def test_a_query_is_recorded_without_marks_of_use(tmp_path: Path) -> None:
    recorder = TraceRecorder()
    database = RecordedDatabase(tmp_path / "state.db", recorder)
    with database.transaction(marks=True) as transaction:
        transaction.write(
            "INSERT INTO cache (key, created, description, used, uses)"
            " VALUES ('a', 'b', 'c', 'd', 7)"
        )

    rows = database.read("SELECT key, used, uses FROM cache WHERE key = ?", ("a",))

    assert rows == [("a", "d", 7)]
    query = ["rows", "SELECT key, used, uses FROM cache WHERE key = ?", ["a"]]
    assert recorder.asked == [(query, [["a"]])]
    database.close()


def test_binary_values_stop_the_recording(tmp_path: Path) -> None:
    recorder = TraceRecorder()
    database = RecordedDatabase(tmp_path / "state.db", recorder)
    with database.transaction(marks=True) as transaction:
        transaction.write("INSERT INTO contexts (directory) VALUES (?)", (b"/a",))

    database.read("SELECT directory FROM contexts")

    assert recorder.obstacle
    database.close()


def contexts(tmp_path: Path, recorder: TraceRecorder) -> RecordedContexts:
    return RecordedContexts(
        MemoryFileDigestStore(), TarLayerArchive(), FileScratchSpace(tmp_path), recorder, {}
    )


def test_every_name_that_the_dockerfile_may_have_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("FROM scratch\n")
    settled(tmp_path / "Containerfile")
    recorder = TraceRecorder()

    contexts(tmp_path, recorder).dockerfile(str(tmp_path), None)

    stamped = {question[1] for question, _ in recorder.asked if question[0] == STAMP}
    names = ("Dockerfile", "dockerfile", "Containerfile")
    expected = {".dockerignore", *names, *(f"{name}.dockerignore" for name in names)}
    assert stamped == {str(tmp_path / name) for name in expected}
    assert not recorder.obstacle


def test_links_and_standard_input_stop_the_recording(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("FROM scratch\n")
    (tmp_path / "Dockerfile").symlink_to("real")
    linked, piped = TraceRecorder(), TraceRecorder()

    contexts(tmp_path, linked).dockerfile(str(tmp_path), None)
    contexts(tmp_path, piped).open_archive(BytesIO())

    assert linked.obstacle
    assert piped.obstacle


def test_the_walk_of_a_context_is_recorded_and_reading_its_files_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    settled(tmp_path / "file")
    recorder = TraceRecorder()
    context = contexts(tmp_path, recorder).open(str(tmp_path), ("*.log",))

    fingerprint = context.fingerprint()

    assert (["walk", str(tmp_path), ["*.log"]], fingerprint) in recorder.asked
    assert not recorder.obstacle
    context.read_digests(["file"])
    assert recorder.obstacle


def test_of_a_file_for_all_users_only_the_lines_of_one_count(tmp_path: Path) -> None:
    path = tmp_path / "subuid"
    question = ["lines", str(path), "dev", "1000"]
    path.write_text("dev:1:2\n")
    before = ask(question)

    path.write_text("other:5:6\ndev:1:2\ndeveloper:7:8\n")
    with_others = ask(question)
    path.write_text("dev:1:2\n1000:3:4\n")

    assert before == with_others == ["dev:1:2\n"]
    assert ask(question) == ["dev:1:2\n", "1000:3:4\n"]


def test_the_entry_of_a_user_is_asked_and_may_be_missing() -> None:
    assert ask(["user", 0]) == ["root", 0, "/root"]
    assert ask(["user", 3_999_999_999]) is None
