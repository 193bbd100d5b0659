"""Spans sent to a collector by OpenTelemetry's own packages, which is the extra ``otel``.

They read the OTEL_* variables of their specification: endpoints, headers, certificates, timeouts,
compression, samplers, limits, attributes of the resource. TRACEPARENT and TRACESTATE name the span
that the command belongs to (W3C Trace Context, in variables as buildx reads them).
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from img.adapters.progress_sink.otlp_request import BATCH, PROTOCOL, REFUSED, TIMEOUT_S
from img.adapters.progress_sink.spans import Span

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

_TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def prepare() -> None:
    """Import the packages; if that fails, ``export`` says why."""
    with suppress(ImportError, ValueError):  # a variable without sense is a ValueError
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace  # noqa: F401


def export(spans: Sequence[Span], environment: Mapping[str, str]) -> None:
    """Send ``spans``, in which parents come first, to the collector that the variables name.

    Raises ImportError with a text for users, ValueError for a wrong variable, OSError.
    """
    with _quiet_logs():
        try:
            exporter, provider = _exporter(environment), _provider(environment)
        except ImportError as error:
            raise ImportError(
                f"OpenTelemetry is not installed ({error}): pip install 'img-builder[otel]'"
            ) from None
        _send(exporter, provider, spans, environment)


def _send(
    exporter: "SpanExporter",
    provider: "TracerProvider",
    spans: Sequence[Span],
    environment: Mapping[str, str],
) -> None:
    from opentelemetry.sdk.trace.export import SpanExportResult

    ended = [*_made(provider, spans, environment)]
    try:
        for at in range(0, len(ended), BATCH):
            if exporter.export(ended[at : at + BATCH]) is not SpanExportResult.SUCCESS:
                raise OSError(REFUSED)
    finally:
        exporter.shutdown()


def _exporter(environment: Mapping[str, str]) -> "SpanExporter":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    named = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    if named != "otlp":
        raise ValueError(f"OTEL_TRACES_EXPORTER={named} is not supported: set it to otlp or none")
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), PROTOCOL)
    if protocol != PROTOCOL:
        raise ValueError(
            f"the protocol {protocol} is not supported: set {_PROTOCOLS[1]}={PROTOCOL}"
        )
    has_timeout = any(environment.get(name) for name in _TIMEOUTS)
    return OTLPSpanExporter(timeout=None if has_timeout else TIMEOUT_S)


def _provider(environment: Mapping[str, str]) -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from img import __version__

    named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    own = {} if named else {"service.name": "img"}
    return TracerProvider(
        resource=Resource.create({**own, "service.version": __version__}), shutdown_on_exit=False
    )


def _made(
    provider: "TracerProvider", spans: Sequence[Span], environment: Mapping[str, str]
) -> Iterator["ReadableSpan"]:
    """Yield the spans that the sampler takes, in the order of ``spans``."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import Span as SdkSpan

    tracer = provider.get_tracer("img")
    made: dict[int, trace.Span] = {}
    for span in spans:
        parent = span.parent
        context = _caller(environment) if parent is None else _within(made[id(parent)])
        links = [trace.Link(made[id(each)].get_span_context()) for each in span.inputs]
        one = tracer.start_span(
            span.name,
            context,
            attributes=span.attributes,
            links=links,
            start_time=span.begun,
        )
        made[id(span)] = one
        for at, text in span.events:
            one.add_event("warning", {"message": text}, at)
        if span.error is not None:
            one.set_status(trace.StatusCode.ERROR, span.error)
        one.end(span.ended)
        if isinstance(one, SdkSpan) and one.get_span_context().trace_flags.sampled:
            yield one


def _within(parent: object) -> "Context":
    from opentelemetry import trace

    assert isinstance(parent, trace.Span)
    return trace.set_span_in_context(parent)


def _caller(environment: Mapping[str, str]) -> "Context":
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    names = {"traceparent": "TRACEPARENT", "tracestate": "TRACESTATE"}
    carrier = {name: environment[each] for name, each in names.items() if each in environment}
    return TraceContextTextMapPropagator().extract(carrier, Context())


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Keep messages of the packages from the terminal: img says itself that a request failed."""
    packages = logging.getLogger("opentelemetry")
    propagates, packages.propagate = packages.propagate, False
    packages.addHandler(nothing := logging.NullHandler())
    try:
        yield
    finally:
        packages.removeHandler(nothing)
        packages.propagate = propagates
