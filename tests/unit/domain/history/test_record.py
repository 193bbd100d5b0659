"""Records of builds, from their journals."""

import json

import pytest

from img.domain.digest import Digest
from img.domain.filesystem.file_name import FileName
from img.domain.graph.codec import Json
from img.domain.graph.operations import Exec, FetchUrl
from img.domain.history.facts import StepFacts, hidden, kept_operation, shown_value
from img.domain.history.journal import (
    asked_entry,
    ended_entry,
    event_entry,
    facts_entry,
    image_entry,
    log_entry,
)
from img.domain.history.record import BuildRecord, Outcome, StepRecord, record_of
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.progress import (
    VertexCached,
    VertexCanceled,
    VertexDone,
    VertexFailed,
    VertexOutput,
    VertexStarted,
    VertexStatus,
    VertexWarning,
)

BLOB = Descriptor(media_type="m", digest=Digest.of(b"blob"), size=9)
LAYER = Layer(DiffID(Digest.of(b"layer")), BLOB)
OTHER = Layer(DiffID(Digest.of(b"other")), BLOB)


def a_record(*entries: object, running: bool = False) -> BuildRecord:
    present = [each for each in entries if isinstance(each, dict)]
    return record_of(present, id="a", started=1.0, size=5, running=running)


def test_a_record_has_what_its_journal_says() -> None:
    facts = StepFacts(
        operation={"operation": "Exec"},
        inputs=("0", "1"),
        keys=("k", ""),
        contents=("c", ""),
        arguments=("V",),
        lines=(2, 3),
        ignore_cache=True,
        key="sha256:k",
        layers=(OTHER,),
        layer=LAYER,
        kept=OTHER,
    )
    record = a_record(
        asked_entry("build", {"tag": ["app"], "context": "."}, "ns", "1.0", 1.0),
        event_entry(VertexStarted(vertex="2", name="[build 2/5] RUN make"), 2.0),
        log_entry("2", 0, 2.5),
        event_entry(VertexOutput(vertex="2", stream=1, data=b"x"), 2.6),
        event_entry(VertexStatus(vertex="2", item="i", current=3, total=9), 2.7),
        event_entry(VertexStatus(vertex="2", item="i", current=9, total=9, done=True), 2.8),
        event_entry(VertexWarning(vertex="2", message="slow"), 2.9),
        event_entry(VertexDone(vertex="2"), 4.0),
        facts_entry("2", facts, 4.0),
        event_entry(VertexCached(vertex="3", name="[build 3/5] COPY a b"), 4.1),
        event_entry(VertexStarted(vertex="4", name="c"), 4.2),
        event_entry(VertexFailed(vertex="4", message="see https://u:pw@h/"), 4.3),
        event_entry(VertexStarted(vertex="5", name="d"), 4.2),
        event_entry(VertexCanceled(vertex="5"), 4.4),
        image_entry("", BLOB, ["app:latest"], 5.0),
        ended_entry("error", "no", 6.0),
    )

    make, copy, failed, canceled = record.steps
    assert (record.status, record.error, record.seconds, record.name) == (
        *("error", "no", 5.0),
        "app:latest",
    )
    assert (record.command, record.namespace, record.version) == ("build", "ns", "1.0")
    assert (make.outcome, make.seconds, make.received, make.log) == (Outcome.DONE, 2.0, 9, 0)
    assert (make.warnings, make.facts) == (("slow",), facts)
    assert (make.stage, make.number, make.text, make.keyword) == ("build", "2/5", "RUN make", "RUN")
    assert (copy.outcome, copy.seconds) == (Outcome.CACHED, 0.0)
    assert (failed.outcome, failed.message) == (Outcome.FAILED, "see https://xxxxx:xxxxx@h/")
    assert canceled.outcome is Outcome.CANCELED
    assert record.failed is failed


def test_a_build_without_an_end_runs_or_was_interrupted() -> None:
    started = event_entry(VertexStarted(vertex="2", name="a"), 3.5)

    assert a_record(started, running=True).status == "running"
    assert a_record(started).status == "interrupted"
    assert a_record(started).seconds == 2.5


def test_entries_without_sense_are_left_out() -> None:
    record = a_record(
        {"e": "facts", "v": "1", "operation": [], "inputs": "x", "layers": [1, ["a"]], "lines": 3},
        {"e": "started", "v": 7},
        {"e": "unknown", "v": "2"},
        {"e": "failed", "v": "3", "t": "soon", "message": ["m"]},
        {"e": "ended", "t": None, "status": {}},
        {},
    )

    assert [step.vertex for step in record.steps] == ["1", "2", "3"]
    assert record.steps[0].facts == StepFacts(operation={}, inputs=("x",))
    assert record.steps[2].message == ""


def test_the_stage_of_a_step_may_have_a_target_and_a_platform() -> None:
    step = StepRecord(vertex="1", name="[app linux/amd64 build  2/10] RUN a [b] c")

    assert (step.stage, step.number) == ("app linux/amd64 build", "2/10")
    assert step.text == "RUN a [b] c"


def test_the_layers_of_a_step_are_those_of_its_base_and_of_the_steps_below() -> None:
    base = StepFacts(operation={}, key="b", layers=(OTHER,))
    middle = StepFacts(operation={}, inputs=("0", "9"), key="m")
    top = StepFacts(operation={}, inputs=("1",), key="t", layer=LAYER)
    record = a_record(
        *(facts_entry(str(n), facts, 1.0) for n, facts in enumerate((base, middle, top))),
        facts_entry("3", StepFacts(operation={}, inputs=("2",)), 1.0),
        facts_entry("4", StepFacts(operation={}, inputs=("4",), key="loop"), 1.0),
    )

    assert record.layers_of("2") == (OTHER, LAYER)
    assert record.layers_of("1") == (OTHER,)
    assert [record.layers_of(vertex) for vertex in ("3", "4", "5")] == [None, None, None]


def test_no_secret_gets_into_the_facts() -> None:
    operation = Exec(
        argv=("make",),
        env=(
            ("API_TOKEN", "t0p"),
            ("GPG_KEY", "public"),
            ("HTTP_PROXY", "http://u:pw@p"),
            ("ftp_proxy", "u:pw@p:1"),
            ("V", "1"),
        ),
        hidden_env=(("http_proxy", "http://u:pw@p"),),
    )
    url = FetchUrl(url="https://u:pw@host/file", filename=FileName("file"))

    kept = kept_operation(operation, ("API_TOKEN", "HTTP_PROXY", "ftp_proxy", "V"))

    assert kept["env"] == [
        ["API_TOKEN", hidden("t0p")],
        ["GPG_KEY", "public"],
        ["HTTP_PROXY", hidden("http://u:pw@p")],
        ["ftp_proxy", hidden("u:pw@p:1")],
        ["V", "1"],
    ]
    assert "hidden_env" not in kept
    assert kept_operation(url)["url"] == "https://xxxxx:xxxxx@host/file"
    assert shown_value("PUBLIC_KEY", "a") == "a"
    assert shown_value("DB_PASSWORD", "a") == hidden("a") != hidden("b")


def test_no_secret_gets_into_the_options() -> None:
    options: dict[str, Json] = {
        "contexts": {"app": "https://u:s3cr3t@host/a.tgz#:app"},
        "cache_to": ["type=s3,access_key_id=i,secret_access_key=s3cr3t", "type=gha,token=s3cr3t"],
        "override": ["app.cache-to=type=azblob,account_url=https://h/?sig=s3cr3t"],
        "jobs": 2,
    }

    entry = asked_entry("bake", options, "", "1", 1.0)
    started = event_entry(VertexStarted(vertex="1", name="ADD https://u:s3cr3t@host/a /"), 1.0)

    assert "s3cr3t" not in json.dumps([entry, started])
    assert '"jobs": 2' in json.dumps(entry)


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 10**400, -1, "1"])
def test_numbers_without_sense_are_no_times_and_no_sizes(number: object) -> None:
    record = a_record(
        {"e": "started", "t": number, "v": "1", "name": "RUN a"},
        {"e": "received", "t": number, "v": "1", "bytes": number},
        {"e": "log", "t": number, "v": "1", "n": number},
        {"e": "facts", "v": "1", "layer": [str(OTHER.diff_id), str(BLOB.digest), 1 << 63, "m"]},
        {"e": "ended", "t": number, "status": "completed"},
    )

    (step,) = record.steps
    assert (record.ended, step.started, step.received, step.log) == (0, 0, 0, 0)
    assert step.facts
    assert step.facts.layer is None


def test_a_step_that_did_not_end_is_a_step_too() -> None:
    record = a_record(
        event_entry(VertexStarted(vertex="0", name="[internal] load build definition"), 1.0),
        event_entry(VertexStarted(vertex="1", name="[build 3/4] RUN test"), 2.0),
        event_entry(VertexCanceled(vertex="1"), 3.0),
        event_entry(VertexStarted(vertex="2", name="exporting 1/2 layers"), 3.0),
    )

    assert [step.text for step in record.instructions] == ["RUN test"]
