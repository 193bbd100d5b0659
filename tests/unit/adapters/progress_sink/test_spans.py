"""Builds as spans of OpenTelemetry, which a collector receives."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping

import pytest

from img.adapters.progress_sink import otlp, otlp_packages
from img.adapters.progress_sink.spans import Span, SpanProgress
from img.application.solver.target_progress import TargetProgress
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
from tests.support.servers.collector import Collector, collecting

PARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
PACKAGES = {"OTEL_TRACES_SAMPLER": "parentbased_always_on"}  # their default, which only they know
both = pytest.mark.parametrize("more", [{}, PACKAGES], ids=["usual", "packages"])


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def tell(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell a sink of a bake of two targets; each event takes a second."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    seconds = iter(range(1, 100))
    sink = SpanProgress(
        "img bake",
        {"img.version": "1"},
        environment,
        export=otlp.export,
        prepare=otlp.prepare,
        now=lambda: next(seconds) * 10**9,
    )
    sink.emit(VertexCached(vertex="m", name="[internal] load metadata"))
    app, db = TargetProgress(sink, "app"), TargetProgress(sink, "db")
    app.emit(VertexStarted(vertex="1", name="[1/2] FROM x"))
    app.emit(VertexStatus(vertex="1", item="sha256:aa", current=5, total=9))
    app.emit(VertexStatus(vertex="1", item="sha256:aa", current=9, total=9, done=True))
    app.emit(VertexStatus(vertex="1", item="unpack", current=3, total=0))
    app.emit(VertexDone(vertex="1"))
    app.emit(VertexStarted(vertex="2", name="[2/2] RUN \x1b[31mmake", inputs=("1", "gone")))
    app.emit(VertexWarning(vertex="2", message="slow"))
    app.emit(VertexOutput(vertex="2", stream=1, data=b"no time passes"))
    db.emit(VertexStarted(vertex="1", name="[1/1] FROM y"))
    app.emit(VertexFailed(vertex="2", message="exit code: 1"))
    db.emit(VertexCanceled(vertex="1"))
    sink.close()
    sink.close()


@both
def test_a_collector_receives_one_tree(
    more: dict[str, str], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        **more,
        **collector.variables,
        "TRACEPARENT": PARENT,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x",
        "OTEL_RESOURCE_ATTRIBUTES": "ci.job=7,service.name=ours, a=b%20c",
    }
    tell(given, monkeypatch)

    assert collector.tree() == {
        "img bake": "",
        "[internal] load metadata": "img bake",
        "build app": "img bake",
        "[app 1/2] FROM x": "build app",
        "sha256:aa": "[app 1/2] FROM x",
        "unpack": "[app 1/2] FROM x",
        "[app 2/2] RUN \\x1b[31mmake": "build app",
        "build db": "img bake",
        "[db 1/1] FROM y": "build db",
    }
    assert {span.trace_id.hex() for span in collector.spans} == {PARENT[3:35]}
    assert collector.named("img bake").parent_span_id.hex() == PARENT[36:52]
    (resource,) = collector.resources
    assert resource["service.name"] == "ours"
    assert resource["service.version"]
    assert (resource["ci.job"], resource["a"]) == ("7", "b c")
    assert collector.headers[0]["authorization"] == "Bearer x"


@both
def test_spans_have_times_states_and_links(
    more: dict[str, str], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell({**collector.variables, **more}, monkeypatch)

    def seconds(name: str) -> tuple[float, float]:
        span = collector.named(name)
        return span.start_time_unix_nano / 1e9, span.end_time_unix_nano / 1e9

    step = collector.named("[app 2/2] RUN \\x1b[31mmake")
    source = collector.named("[app 1/2] FROM x")
    assert seconds("sha256:aa") == (4, 5)
    assert seconds("unpack") == (6, 7)  # it ends with its step
    assert seconds("[app 1/2] FROM x") == (3, 7)
    assert seconds("build app") == (3, 11)
    assert seconds("img bake") == (1, 13)
    assert [link.span_id for link in step.links] == [source.span_id]
    assert [(e.name, e.attributes[0].value.string_value) for e in step.events] == [
        ("warning", "slow")
    ]
    assert (step.status.code, step.status.message) == (2, "exit code: 1")
    assert collector.named("build app").status.code == 2
    assert collector.named("img bake").status.message == "exit code: 1"
    assert source.status.code == 0
    cached = {a.key: a.value for a in collector.named("[internal] load metadata").attributes}
    assert cached["img.cached"].bool_value
    assert {span.kind for span in collector.spans} == {1}
    sizes = {a.key: a.value.int_value for a in collector.named("sha256:aa").attributes}
    assert sizes == {"img.bytes": 9, "img.bytes.total": 9}


def test_spans_without_the_packages_are_theirs(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent(more: dict[str, str]) -> list[object]:
        collector.spans.clear()
        tell({**collector.variables, "TRACEPARENT": PARENT, **more}, monkeypatch)
        for span in collector.spans:
            span.span_id = span.parent_span_id = b""
            if not span.status.code:
                span.ClearField("status")  # an empty one means the same
            span.flags &= ~1  # the caller's, which some versions of the packages leave out
            for link in span.links:
                link.span_id = b""
                link.flags &= ~1
        return [*collector.spans]

    assert sent({}) == sent(PACKAGES) != []


@pytest.mark.parametrize(
    ("variables", "is_usual"),
    [
        ({"OTEL_SERVICE_NAME": "x", "OTEL_METRICS_EXPORTER": "none"}, True),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "10", "TRACESTATE": ""}, True),
        ({"TRACESTATE": "a=b"}, False),
        ({"HTTP_PROXY": "http://proxy"}, False),
        ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem"}, False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/v1/traces"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:word@collector"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:port"}, False),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "0"}, False),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a=1, b"}, False),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a=1%0d%0ab: 2"}, False),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=%C3%A9"}, False),
        ({"OTEL_SPAN_EVENT_COUNT_LIMIT": "1"}, False),
    ],
)
def test_only_usual_variables_do_without_the_packages(
    variables: dict[str, str], is_usual: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(otlp_packages, "prepare", lambda: called.append("packages"))
    otlp.prepare({"OTEL_TRACES_EXPORTER": "otlp", **variables})
    assert bool(called) is not is_usual


@both
@pytest.mark.parametrize(
    ("traceparent", "count"),
    [(PARENT[:-1] + "0", 0), ("00-" + "0" * 32 + PARENT[35:], 9), ("x", 9)],
    ids=["not sampled", "without a trace", "no such thing"],
)
def test_the_caller_decides_if_spans_are_sent(
    traceparent: str,
    count: int,
    more: dict[str, str],
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tell({**collector.variables, "TRACEPARENT": traceparent, **more}, monkeypatch)

    assert len(collector.spans) == count
    assert len({span.trace_id for span in collector.spans}) == min(count, 1)


@both
def test_many_spans_are_several_requests(
    more: dict[str, str], collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**collector.variables, **more}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    root = Span("img", 1, 2)
    otlp.export([root, *(Span(f"{n}", 1, 2, parent=root) for n in range(600))], environment)

    assert len(collector.headers) == 2
    assert len({span.span_id for span in collector.spans}) == 601
    assert {span.parent_span_id for span in collector.spans[1:]} == {collector.spans[0].span_id}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "protocol grpc is not supported"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "zipkin is not supported"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, "did not take them: [Errno 111]"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", **PACKAGES}, "did not take them"),
    ],
)
def test_a_build_does_not_fail_because_nobody_listens(
    more: dict[str, str],
    reason: str,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    tell({**collector.variables, **more}, monkeypatch)

    said = "".join(capfd.readouterr())
    assert len(said.splitlines()) == 1
    assert "no traces were sent" in said
    assert reason in said
    assert not collector.spans


@both
def test_a_collector_may_refuse(
    more: dict[str, str],
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    collector.status = 400
    tell({**collector.variables, **more}, monkeypatch)
    assert "did not take them" in "".join(capfd.readouterr())  # tests before it choose where to


@pytest.mark.parametrize("answer", [b"", b"220 mail.example.com\r\n", b"HTTP/1.1 200 OK"])
def test_a_server_that_does_not_speak_http_is_no_collector(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer, args=(server, answer))
        thread.start()
        place = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.getsockname()[1]}"}
        with pytest.raises(OSError, match="the answer is not HTTP"):
            otlp.export([Span("img", 1, 2)], place)
        thread.join()


def _answer(server: socket.socket, answer: bytes) -> None:
    client, _ = server.accept()
    with client:
        client.recv(1 << 16)
        client.sendall(answer)


def test_no_header_of_the_user_changes_where_a_request_ends(collector: Collector) -> None:
    wrong = "Content-Length=1,Transfer-Encoding=chunked,connection=keep-alive,x-team=me"
    otlp.export([Span("img", 1, 2)], {**collector.variables, "OTEL_EXPORTER_OTLP_HEADERS": wrong})
    assert [span.name for span in collector.spans] == ["img"]


def test_nothing_is_sent_if_the_sampler_takes_nothing(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell({**collector.variables, "OTEL_TRACES_SAMPLER": "always_off"}, monkeypatch)
    assert not collector.spans


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [*sys.modules]:
        if module.startswith("opentelemetry.exporter"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter", None)
    otlp.prepare(PACKAGES)
    with pytest.raises(ImportError, match=r"pip install 'img-builder\[otel\]'"):
        otlp.export([Span("img", 1, 2)], PACKAGES)


def test_events_alone_import_nothing_of_the_extra() -> None:
    program = (
        "import sys\n"
        "from img.adapters.progress_sink import otlp, spans\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_variable_that_the_packages_refuse_does_not_end_the_thread_in_a_traceback() -> None:
    program = "import os\nfrom img.adapters.progress_sink import otlp\notlp.prepare(os.environ)\n"
    variables = {**os.environ, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "x"}
    subprocess.run([sys.executable, "-c", program], check=True, env=variables)
