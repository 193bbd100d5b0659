"""Guarantees of BuildImage besides layers: names, excerpts, atomic results."""

from datetime import timedelta
from pathlib import Path

import pytest

from img.adapters.snapshotter.memory import MemoryWorkspace
from img.application.planning.resolve import BaseUnavailable
from img.application.ports.image_store import ImageNotFound
from img.application.ports.secret_source import SecretNotFound
from img.application.solver.steps.execute import ProcessFailed
from img.domain.errors import BuildError, DockerfileError, SourceError
from img.domain.filesystem.entry import DIRECTORY
from img.domain.outputs import FilesOutput, ImageOutput
from img.domain.progress import (
    StepsPlanned,
    VertexCanceled,
    VertexDone,
    VertexFailed,
    VertexOutput,
    VertexStarted,
)
from img.domain.pull_policy import PullPolicy
from img.domain.reference import ImageReference
from img.domain.retention import live_in
from tests.support.in_memory_app import HERE, InMemoryApp, a_request, image_of

APP = ImageReference.parse("app")
COPY = "FROM scratch\nCOPY a /\n"


def has_no_name(app: InMemoryApp) -> bool:
    with pytest.raises(ImageNotFound):
        app.images.get(APP)
    return True


def test_every_tag_stands_for_the_image() -> None:
    app = InMemoryApp()

    built = app.build(COPY, {"a": b"1"}, tags=["app", "app:2", "quay.io/team/app"])

    targets = {str(image.reference): image.target for image in app.images.list()}
    assert targets == {
        "docker.io/library/app:latest": built.target,
        "docker.io/library/app:2": built.target,
        "quay.io/team/app:latest": built.target,
    }


def test_without_tags_the_image_is_kept_without_a_name() -> None:
    app = InMemoryApp()

    built = app.build(COPY, {"a": b"1"}, tags=[])

    assert app.catalog.image(built.target, HERE) == image_of(built)
    (kept,) = app.images.list()
    assert kept.name == built.target.digest
    assert kept.target == built.target
    assert built.names == ()


def test_an_output_that_is_not_stored_keeps_nothing() -> None:
    app = InMemoryApp()
    app.build(COPY, {"a": b"1"})

    app.deliver(ImageOutput(names=(), store=False))

    assert [str(image.name) for image in app.images.list()] == ["docker.io/library/app:latest"]


def test_a_command_that_fails_names_nothing_and_shows_where() -> None:
    app = InMemoryApp()
    app.statuses["make"] = 2
    app.outputs["make"] = b"no rule\n"

    with pytest.raises(ProcessFailed, match="exit code: 2") as failed:
        app.build("FROM scratch\nRUN make\nCOPY a /\n", {"a": b"1"})

    assert failed.value.lines == (2, 2)
    assert "Dockerfile:2" in failed.value.excerpt
    assert "RUN make" in failed.value.excerpt
    assert failed.value.exit_code == 4
    assert has_no_name(app)
    outputs = [e.data for e in app.progress.events if isinstance(e, VertexOutput)]
    assert outputs == [b"no rule\n"]
    assert isinstance(app.progress.events[-1], VertexFailed)


def test_what_was_done_before_a_failure_is_not_done_again() -> None:
    app = InMemoryApp()
    app.statuses["two"] = 1
    dockerfile = "FROM scratch\nRUN one\nRUN two\n"
    with pytest.raises(ProcessFailed):
        app.build(dockerfile)
    app.statuses.clear()
    app.forget_progress()

    app.build(dockerfile)

    assert app.found == ["[1/2] RUN one"]


def test_an_older_image_keeps_its_name_when_a_build_fails() -> None:
    app = InMemoryApp()
    older = app.build(COPY, {"a": b"1"})
    app.statuses["make"] = 1

    with pytest.raises(ProcessFailed):
        app.build("FROM scratch\nRUN make\n")

    assert app.images.get(APP).target == older.target


@pytest.mark.parametrize(
    ("dockerfile", "family", "line"),
    [
        ("FROM scratch\nRUNN x\n", DockerfileError, 2),
        ("FROM scratch\n\nCOPY missing /\n", BuildError, 3),
        ("FROM scratch\nCOPY --from=nobody a /\n", BuildError, 2),
        ("FROM missing\n", BaseUnavailable, 1),
        ("FROM scratch\nRUN --mount=type=secret,id=x,required=true y\n", SecretNotFound, 2),
    ],
)
def test_what_a_user_got_wrong_is_shown_with_its_line(
    dockerfile: str, family: type[SourceError], line: int
) -> None:
    app = InMemoryApp()

    with pytest.raises(family) as failed:
        app.build(dockerfile, {"a": b"1"})

    assert failed.value.lines == (line, line)
    assert f"Dockerfile:{line}" in failed.value.excerpt
    assert has_no_name(app)
    events = app.progress.events
    begun = {event.vertex for event in events if isinstance(event, VertexStarted)}
    ended = {e.vertex for e in events if isinstance(e, VertexDone | VertexFailed | VertexCanceled)}
    assert begun <= ended
    reading = [e for e in events if not isinstance(e, StepsPlanned) and e.vertex == "definition"]
    assert isinstance(reading[-1], VertexFailed) == (family is DockerfileError)


def test_an_unreachable_registry_keeps_its_own_exit_code() -> None:
    app = InMemoryApp()
    app.registry.lose("quay.io")

    with pytest.raises(BaseUnavailable, match="cannot be reached") as failed:
        app.build("FROM quay.io/team/base\n")

    assert failed.value.exit_code == 6


def test_an_image_that_is_here_is_taken_without_asking_its_registry() -> None:
    app = InMemoryApp()
    app.build(COPY, {"a": b"1"}, tags=["quay.io/team/base"])
    app.registry.lose("quay.io")

    built = app.build("FROM quay.io/team/base\nCOPY b /\n", {"b": b"2"})

    assert app.files_of(built) == {"a": b"1", "b": b"2"}


def test_with_pull_the_registry_is_asked_all_the_same() -> None:
    app = InMemoryApp()
    app.publish("base", {"a": b"old"})
    app.build("FROM base\n")
    app.publish("base", {"a": b"new"})

    kept = app.build("FROM base\n")
    pulled = app.build("FROM base\n", request=a_request(pull=PullPolicy.ALWAYS))

    assert app.files_of(kept) == {"a": b"old"}
    assert app.files_of(pulled) == {"a": b"new"}


def test_a_base_gets_its_name_here() -> None:
    app = InMemoryApp()
    base = app.publish("base", {"a": b"1"})

    app.build("FROM base\nCOPY b /\n", {"b": b"2"})

    assert app.images.get(base)


def test_the_time_of_creation_is_that_of_the_first_build_of_these_contents() -> None:
    app = InMemoryApp()
    first = image_of(app.build(COPY, {"a": b"1"}))
    app.clock.advance(timedelta(days=1))

    again = image_of(app.build(COPY, {"a": b"1"}))
    other = image_of(app.build(COPY, {"a": b"2"}))

    assert again.config.created == first.config.created == "2024-01-01T00:00:00Z"
    assert other.config.created == "2024-01-02T00:00:00Z"


@pytest.mark.parametrize("by", ["build arg", "global ARG"])
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (86400, "1970-01-02T00:00:00Z"),
        (1500000000, "2017-07-14T02:40:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
    ],
)
def test_source_date_epoch_is_the_time_of_everything(by: str, seconds: int, expected: str) -> None:
    app = InMemoryApp()
    given = {"SOURCE_DATE_EPOCH": str(seconds)} if by == "build arg" else {}
    above = "" if given else f"ARG SOURCE_DATE_EPOCH={seconds}\n"
    dockerfile = f"{above}FROM scratch\nLABEL a=b\nCOPY . /d/\n"

    built = image_of(app.build(dockerfile, {"a": b"1"}, request=a_request(build_args=given)))

    config = built.config
    assert {config.created, *(item.created for item in config.history)} == {expected}
    index = app.container.images.trees().index_of(built.layers[-1])
    assert max(entry.mtime for entry in index) <= seconds * 10**9
    assert {entry.mtime for entry in index if entry.kind == DIRECTORY} == {seconds * 10**9}


def test_no_cache_does_all_again() -> None:
    app = InMemoryApp()
    app.build("FROM scratch\nRUN one\n")

    app.build("FROM scratch\nRUN one\n", request=a_request(no_cache=True))

    assert [process.argv[-1] for process in app.executor.processes] == ["one", "one"]


def test_no_cache_filter_does_the_steps_of_its_stages_again() -> None:
    app = InMemoryApp()
    dockerfile = "FROM scratch AS first\nRUN one\nFROM first\nRUN two\n"
    app.build(dockerfile)

    app.build(dockerfile, request=a_request(no_cache_filter=("first",), no_cache=True))

    # The second stage stands on a layer that is the same as before.
    commands = [process.argv[-1] for process in app.executor.processes]
    assert commands == ["one", "two", "one"]


def test_what_such_a_step_gives_now_is_what_later_steps_get() -> None:
    app = InMemoryApp()
    dockerfile = "FROM scratch AS first\nRUN one\nFROM scratch\nCOPY --from=first /f /\n"
    app.commands["one"] = lambda root: root.write("f", b"old")
    app.build(dockerfile)
    app.commands["one"] = lambda root: root.write("f", b"new")

    again = app.build(dockerfile, request=a_request(no_cache_filter=("first",)))
    after = app.build(dockerfile)

    assert app.files_of(again) == app.files_of(after) == {"f": b"new"}


def test_the_ignore_file_chooses_what_the_context_shows() -> None:
    app = InMemoryApp()
    app.contexts.ignore = "# comment\n*.log\n!keep.log\n"

    app.build(COPY, {"a": b"1"})

    assert app.contexts.patterns == ("*.log", "!keep.log")


def test_a_secret_reaches_the_command_and_is_masked_in_what_it_prints() -> None:
    app = InMemoryApp(secrets={"token": b"s3cr3t-value"})
    app.outputs["use"] = b"my s3cr3t-value!\n"

    app.build("FROM scratch\nRUN --mount=type=secret,id=token,env=TOKEN use\n")

    (process,) = app.executor.processes
    assert process.env["TOKEN"] == "s3cr3t-value"
    outputs = [e.data for e in app.progress.events if isinstance(e, VertexOutput)]
    assert b"".join(outputs) == b"my ****!\n"


def test_the_variable_of_a_secret_that_no_one_gave_is_empty() -> None:
    app = InMemoryApp()

    app.build("FROM scratch\nENV TOKEN=else\nRUN --mount=type=secret,id=token,env=TOKEN use\n")

    (process,) = app.executor.processes
    assert process.env["TOKEN"] == ""


def test_what_a_build_has_made_is_not_collected_meanwhile() -> None:
    app = InMemoryApp()
    collect = app.container.housekeeping.collect()
    nothing = live_in(images=[], layers=[], read=lambda _digest: None)

    def make(root: MemoryWorkspace) -> None:
        root.write("b", b"")
        collect.after_removal(nothing)

    app.commands["make"] = make

    built = app.build("FROM scratch\nCOPY a /\nRUN make\n", {"a": b"1"})

    assert app.files_of(built) == {"a": b"1", "b": b""}


def test_an_image_is_built_on_the_id_of_another() -> None:
    app = InMemoryApp()
    base = image_of(app.build("FROM scratch\nCOPY a /\n", {"a": b"1", "b": b"2"}, tags=[]))
    id_ = base.manifest.config.digest

    for text in (f"FROM {id_}\nCOPY b /\n", f"FROM scratch\nCOPY --from={id_.encoded} a /\n"):
        assert "a" in app.files_of(app.build(text))


def test_a_build_that_fetches_only_layers_looks_at_the_cap_of_the_cache(
    tmp_path: Path,
) -> None:
    app = InMemoryApp()
    app.publish("base", {"f": b"1"})
    grown: list[bool] = []
    tidy = app.container.housekeeping.keep_tidy
    tidy.override(lambda **looked: grown.append(looked["grown"]))

    app.contexts.text = "FROM base\n"
    app.deliver(FilesOutput(destination=str(tmp_path / "out")))

    assert not app.container.building.lookup().has_new
    assert grown == [True]


def test_a_build_that_stores_nothing_new_does_not_look_at_the_cap_of_the_cache() -> None:
    app = InMemoryApp()
    grown: list[bool] = []
    tidy = app.container.housekeeping.keep_tidy
    tidy.override(lambda **looked: grown.append(looked["grown"]))
    app.build(COPY, {"a": b"1"})
    app.container.building.lookup.reset()  # as in the next process

    app.build(COPY, {"a": b"1"})

    assert grown == [True, False]


def test_a_build_that_fails_looks_at_the_cap_of_the_cache_for_the_steps_before() -> None:
    app = InMemoryApp()
    grown: list[bool] = []
    tidy = app.container.housekeeping.keep_tidy
    tidy.override(lambda **looked: grown.append(looked["grown"]))

    with pytest.raises(SourceError, match="not found"):
        app.build(f"{COPY}COPY missing /\n", {"a": b"1"})

    assert grown == [True]
