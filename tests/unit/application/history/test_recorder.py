"""Records of builds with adapters in memory."""

import json
from datetime import timedelta

import pytest

from img.domain.history.facts import hidden
from img.domain.history.limits import KeepRecords
from img.domain.history.record import Outcome
from img.domain.progress import VertexOutput
from tests.support.in_memory_app import InMemoryApp, a_request

DOCKERFILE = """\
FROM base AS build
ARG API_TOKEN
COPY a /a
RUN make
FROM base
COPY --from=build /out /out
"""


@pytest.fixture
def app() -> InMemoryApp:
    app = InMemoryApp()
    app.publish("base", {"bin/make": b"make"})
    app.commands["make"] = lambda root: root.write("out", b"result")
    app.outputs["make"] = b"\x1b[1mmade\n"
    return app


def test_each_step_is_recorded_with_its_result(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE, {"a": b"a"})

    steps = {step.text.partition(" ")[2]: step for step in record.instructions}
    assert record.status == "completed"
    assert [step.name for step in record.instructions][1:] == [
        "[build 2/3] COPY a /a",
        "[build 3/3] RUN make",
        "[stage-1 2/2] COPY --from=build /out /out",
    ]
    made = record.layers_of(steps["--from=build /out /out"].vertex)
    assert made is not None
    assert app.files_in(made)["out"] == b"result"
    assert {step.outcome for step in record.instructions} == {Outcome.DONE}


def test_output_is_kept_as_it_was(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE, {"a": b"a"})
    (step,) = [step for step in record.instructions if step.text == "RUN make"]
    read = app.container.housekeeping.read_history()

    assert b"".join(piece.data for piece in read.output(record, step)) == b"\x1b[1mmade\n"


def test_cached_steps_are_recorded_with_what_was_found(app: InMemoryApp) -> None:
    first = app.recorded(DOCKERFILE, {"a": b"a"})
    second = app.recorded(DOCKERFILE, {"a": b"a"})

    assert [s.outcome for s in second.instructions[1:]].count(Outcome.CACHED) >= 1
    top = [record.instructions[-1].facts for record in (first, second)]
    assert top[0] and top[1]
    assert top[0].layer == top[1].layer
    assert top[0].key == top[1].key


def test_a_failure_is_recorded_with_the_changes_that_the_step_made(app: InMemoryApp) -> None:
    app.commands["make"] = lambda root: root.write("half", b"done")
    app.statuses["make"] = 3

    record = app.recorded(DOCKERFILE, {"a": b"a"})

    assert record.status == "error"
    assert record.failed is not None
    assert record.failed.name == "[build 3/3] RUN make"
    assert "exit code: 3" in record.failed.message
    facts = record.failed.facts
    assert facts
    assert facts.kept
    assert app.files_in([facts.kept]) == {"half": b"done"}
    kept = [r for _, r in app.cache.records() if r.description == "RUN make (failed)"]
    assert [each.layer for each in kept] == [facts.kept]


def test_values_of_secret_arguments_are_in_no_text_of_a_record(app: InMemoryApp) -> None:
    dockerfile = (
        "FROM base\nARG API_TOKEN\nARG SOURCE\nARG PLAIN\n"
        "RUN make https://me:pw-in-text@host/ $API_TOKEN $SOURCE $PLAIN\n"
    )
    values = {"API_TOKEN": "t0p-secret", "SOURCE": "https://me:pw-in-arg@host/", "PLAIN": "shown"}

    record = app.recorded(dockerfile, {}, request=a_request(build_args=values))
    entries = json.dumps([*app.history.journal(record.id)])

    assert not [word for word in ("t0p-secret", "pw-in-arg", "pw-in-text") if word in entries]
    assert "shown" in record.instructions[-1].name
    assert hidden("t0p-secret") in record.instructions[-1].name


def test_targets_of_a_bake_share_a_record(app: InMemoryApp) -> None:
    from img.application.solver.observer import TargetObserver
    from img.domain.history.facts import StepFacts

    recorder = app.container.system.recorder()
    with recorder.recording("bake", {}, "", "1"):
        TargetObserver(recorder, "app").solved("2", StepFacts(operation={}, inputs=("1",)))
        recorder.failed("one target failed")
    record = app.container.housekeeping.read_history().find()

    assert record.steps[0].vertex == "app 2"
    assert record.steps[0].facts == StepFacts(operation={}, inputs=("app 1",))
    assert (record.status, record.error) == ("error", "one target failed")


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "canceled"), (RuntimeError("bug"), "error")]
)
def test_builds_that_end_otherwise_are_recorded(
    app: InMemoryApp, error: BaseException, status: str
) -> None:
    recorder = app.container.system.recorder()
    with pytest.raises(type(error)), recorder.recording("build", {}, "", "1"):
        raise error

    assert app.container.housekeeping.read_history().find().status == status


def test_nothing_is_recorded_outside_of_a_recording(app: InMemoryApp) -> None:
    recorder = app.container.system.recorder()
    recorder.emit(VertexOutput(vertex="a", stream=1, data=b"x"))

    assert not recorder.observes
    assert [*app.history.records()] == []


def test_old_records_are_deleted_after_a_build() -> None:
    from img.application.history.recorder import BuildRecorder

    app = InMemoryApp()
    for _ in range(4):
        app.clock.advance(timedelta(hours=1))
        recorder = BuildRecorder(app.history, app.clock, KeepRecords(count=3, seconds=5400))
        with recorder.recording("build", {}, "", "1"):
            pass

    assert len(app.history.records()) == 2


def test_steps_are_found_by_number_and_by_a_part_of_their_name(app: InMemoryApp) -> None:
    record = app.recorded(DOCKERFILE, {"a": b"a"})
    read = app.container.housekeeping.read_history()
    make = record.instructions[2]

    assert read.find_step(["3"]) == (record, make)
    assert read.find_step([record.id, "make"]) == (record, make)
    assert read.find_step(["^0"]) == (record, None)
    assert read.find_step([]) == (record, None)
