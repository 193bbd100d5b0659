"""Commands where steps of recorded builds ran."""

import pytest

from img.domain.errors import UsageError
from img.domain.filesystem.tree import FileTree
from img.domain.history.record import BuildRecord, StepRecord
from tests.support.in_memory_app import InMemoryApp

DOCKERFILE = """\
FROM base
COPY a /a
RUN make
RUN test
"""


@pytest.fixture
def app() -> InMemoryApp:
    app = InMemoryApp()
    app.publish("base", {"bin/make": b"make"})
    app.commands["make"] = lambda root: root.write("out", b"result")
    app.commands["test"] = lambda root: root.write("half", b"done")
    app.statuses["test"] = 3
    return app


def files_at(
    app: InMemoryApp, record: BuildRecord, step: StepRecord, *, before: bool = False
) -> set[str]:
    """Return the paths that a command in the root of ``step`` finds."""
    found: set[str] = set()
    empty = FileTree.of_files(())
    app.commands["look"] = lambda root: found.update(each.path for each in root.changes(empty))
    run = app.container.building.debug_step()

    assert run(record, step, ["look"], lambda *_: None, before=before).success
    return {path for path in found if path in {"bin/make", "a", "out", "half"}}


def test_a_command_sees_the_files_before_and_after_each_step(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE, {"a": b"a"})
    base, copy, make, test = record.instructions

    assert files_at(app, record, base) == {"bin/make"}
    assert files_at(app, record, copy) == {"bin/make", "a"}
    assert files_at(app, record, make, before=True) == {"bin/make", "a"}
    assert files_at(app, record, test, before=True) == {"bin/make", "a", "out"}
    assert files_at(app, record, test) == {"bin/make", "a", "out", "half"}


def test_changes_of_the_command_are_discarded(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE, {"a": b"a"})
    app.commands["change"] = lambda root: root.write("half", b"changed")
    run = app.container.building.debug_step()

    assert record.failed
    run(record, record.failed, ["change"], lambda *_: None)

    assert files_at(app, record, record.failed, before=True) == {"bin/make", "a", "out"}


def test_there_is_nothing_before_a_base_image(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE, {"a": b"a"})
    run = app.container.building.debug_step()

    with pytest.raises(UsageError, match="not on record"):
        run(record, record.instructions[0], ["look"], lambda *_: None, before=True)


def test_discarded_changes_cannot_be_entered(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE.replace("RUN test", "RUN missing"), {"a": b"a"})
    step = StepRecord(vertex="9", name="RUN x", facts=record.instructions[-1].facts)
    run = app.container.building.debug_step()

    with pytest.raises(UsageError, match="were not kept") as caught:
        run(record, step, ["look"], lambda *_: None)

    assert caught.value.hint == "--before shows the files before it"
