"""Shells and other commands where steps of recorded builds ran."""

import pytest

from img.adapters.terminal.memory import MemoryTerminal
from img.application.ports.executor import ProcessNotStarted
from img.application.usecases.debug_step import OtherSettings, TerminalChoice
from img.domain.errors import UsageError
from img.domain.filesystem.ownership import UnknownUser
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
    run = app.container.steps.debug_step()

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
    run = app.container.steps.debug_step()

    assert record.failed
    run(record, record.failed, ["change"], lambda *_: None)

    assert files_at(app, record, record.failed, before=True) == {"bin/make", "a", "out"}


def test_the_store_of_the_cluster_of_a_build_is_reached_first(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE, {"a": b"a"})
    reached: list[BuildRecord] = []
    app.commands["look"] = lambda _root: None
    run = app.container.steps.debug_step(reach=reached.append)

    run(record, record.instructions[2], ["look"], lambda *_: None)

    assert reached == [record]


def test_there_is_nothing_before_a_base_image(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE, {"a": b"a"})
    run = app.container.steps.debug_step()

    with pytest.raises(UsageError, match="not on record"):
        run(record, record.instructions[0], ["look"], lambda *_: None, before=True)


def test_a_step_that_did_not_start_can_be_entered(app: InMemoryApp) -> None:
    def missing(_: object) -> None:
        raise ProcessNotStarted("exec: no such file")

    app.commands["test"] = missing
    record = app.recorded(DOCKERFILE, {"a": b"a"})

    assert record.failed
    assert files_at(app, record, record.failed) == {"bin/make", "a", "out"}


def test_a_step_whose_user_is_missing_is_entered_as_another(app: InMemoryApp) -> None:
    def missing(_: object) -> None:
        if app.executor.processes[-1].user == "absent:0":
            raise ProcessNotStarted(UnknownUser("absent").message)

    app.commands["test"] = app.commands["id"] = missing
    record = app.recorded(DOCKERFILE.replace("RUN test", "USER absent:0\nRUN test"), {"a": b"a"})
    run = app.container.steps.debug_step()

    assert record.failed
    with pytest.raises(ProcessNotStarted, match="find user absent") as caught:
        run(record, record.failed, ["id"], lambda *_: None)
    assert caught.value.hint == "`img debug --user root` runs as another user"
    other = OtherSettings(user="root", cwd="/srv")
    assert run(record, record.failed, ["id"], lambda *_: None, other=other).success
    process = app.executor.processes[-1]
    assert (process.user, process.cwd) == ("root", "/srv")


def test_discarded_changes_cannot_be_entered(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE.replace("RUN test", "RUN missing"), {"a": b"a"})
    step = StepRecord(vertex="9", name="RUN x", facts=record.instructions[-1].facts)
    run = app.container.steps.debug_step()

    with pytest.raises(UsageError, match="were not kept") as caught:
        run(record, step, ["look"], lambda *_: None)

    assert caught.value.hint == "--before shows the files before it"


_SH = {"bin/sh": b"sh"}


def shell_of(
    app: InMemoryApp, step: str, files: dict[str, bytes], kind: str = "screen"
) -> tuple[tuple[str, ...], str]:
    """Return the command and TERM of a shell at the last step, of an image with ``files``."""
    app.publish("shells", {"bin/make": b"make", **files})
    record = app.recorded(f"FROM shells\n{step}\n", {"a": b"a"})
    terminal = MemoryTerminal()
    run = app.container.steps.debug_step()
    chosen = TerminalChoice(terminal, kind)

    run(record, record.instructions[-1], (), lambda *_: None, terminal=chosen)

    process = app.executor.processes[-1]
    assert process.terminal == terminal.size()
    assert not terminal.is_raw
    return process.argv, process.env["TERM"]


@pytest.mark.parametrize(
    ("step", "files", "expected"),
    [
        ("RUN make", {"bin/sh": b"sh"}, "/bin/sh"),
        ("RUN make", {"bin/sh": b"sh", "usr/bin/bash": b"bash"}, "/usr/bin/bash"),
        ("COPY a /a", {"bin/sh": b"sh", "bin/bash": b"bash"}, "/bin/bash"),
        ('SHELL ["/bin/zsh", "-c"]\nRUN make', {"bin/sh": b"", "bin/zsh": b"z"}, "/bin/zsh"),
        ('SHELL ["/bin/zsh", "-c"]\nRUN make', {"bin/sh": b"sh"}, "/bin/sh"),
        ('RUN ["/bin/make", "-c", "make"]', {"bin/sh": b"sh"}, "/bin/sh"),
    ],
)
def test_a_shell_is_that_of_the_stage_or_the_best_of_the_image(
    app: InMemoryApp, step: str, files: dict[str, bytes], expected: str
) -> None:
    assert shell_of(app, step, files) == ((expected,), "screen")


def test_a_rare_kind_of_terminal_is_called_a_common_one(app: InMemoryApp) -> None:
    assert shell_of(app, "RUN make", _SH, "xterm-kitty")[1] == "xterm"
    assert shell_of(app, "ENV TERM=vt100\nRUN make", _SH)[1] == "vt100"


def test_an_image_without_a_shell_is_named(app: InMemoryApp) -> None:
    with pytest.raises(UsageError, match=r"no shell in the files of .*RUN make"):
        shell_of(app, "RUN make", {})
