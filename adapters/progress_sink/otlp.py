"""Spans sent to a collector by OTLP over HTTP.

A collector without TLS that the usual variables describe gets them from here. Everything else is
left to OpenTelemetry's packages, because their import takes longer than a small step (ADR 78).
"""

import re
import socket
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, unquote, urlsplit

from img.adapters.progress_sink.otlp_request import (
    BATCH,
    PROTOCOL,
    REFUSED,
    TIMEOUT_S,
    Caller,
    SpanRequests,
)
from img.adapters.progress_sink.spans import Span
from img.domain.dataclass import dataclass

_MOST_BYTES = 1024  # of the first line of an answer; the others are not read
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: .*)?\r?\n")  # RFC 9112, section 4
_SETTINGS = "|".join(["ENDPOINT", "HEADERS", "TIMEOUT", "PROTOCOL"])
_KNOWN = re.compile(
    rf"OTEL_(TRACES_EXPORTER|SERVICE_NAME|RESOURCE_ATTRIBUTES|EXPORTER_OTLP_(TRACES_)?({_SETTINGS})"
    # not about spans: switches, propagation, other signals
    r"|SDK_DISABLED|PROPAGATORS|(EXPORTER_OTLP_)?(METRICS|LOGS)_\w+)"
)
_PORT = 80
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_URL = re.compile(r"http://[!-~]+")
_SECONDS = re.compile(r"\d{0,3}\.?\d+")
# Pairs as in W3C Baggage: a token (RFC 9110, 5.6.2), and a value with percent-encoding.
_PAIR = re.compile(r"\s*([!#$&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*([!#-+\--:<-\[\]-~]*)\s*")
_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")  # W3C Trace Context


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The place and the form of spans that are sent without the packages."""

    url: SplitResult
    headers: Mapping[str, str]
    timeout: float
    resource: Mapping[str, str]
    caller: Caller | None


def prepare(environment: Mapping[str, str]) -> None:
    """Import what ``export`` needs; if that fails, ``export`` says why."""
    if _plan(environment) is None:
        from img.adapters.progress_sink import otlp_packages

        otlp_packages.prepare()


def export(spans: Sequence[Span], environment: Mapping[str, str]) -> None:
    """Send ``spans``, in which parents come first, to the collector that the variables name.

    Raises ImportError with a text for users, ValueError for a wrong variable, OSError.
    """
    plan = _plan(environment)
    if plan is None:
        from img.adapters.progress_sink import otlp_packages

        otlp_packages.export(spans, environment)
    elif plan.caller is None or plan.caller.is_sampled:
        _send(plan, spans)


def _send(plan: _Plan, spans: Sequence[Span]) -> None:
    requests = SpanRequests(plan.resource, plan.caller)
    try:
        for at in range(0, len(spans), BATCH):
            _post(plan, requests.encode(spans[at : at + BATCH]))
    except OSError as problem:
        raise OSError(f"{REFUSED}: {problem}") from None


def _post(plan: _Plan, body: bytes) -> None:
    """Send one request over a connection of its own.

    The import of http.client takes longer than all else that spans take (ADR 78).
    """
    url = plan.url
    headers = {
        "host": url.netloc,
        **{name.lower(): value for name, value in plan.headers.items()},
        "content-type": "application/x-protobuf",
        "content-length": str(len(body)),
        "connection": "close",
    }
    headers.pop("transfer-encoding", None)  # the length says where the body ends
    path = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
    head = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    with socket.create_connection((url.hostname, url.port or _PORT), plan.timeout) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode("ascii") + body)
        with connection.makefile("rb") as answer:
            status = _STATUS.fullmatch(answer.readline(_MOST_BYTES))
    if status is None:
        raise OSError("the answer is not HTTP")
    if not status[1].startswith(b"2"):
        raise OSError(f"HTTP status {status[1].decode()}")


def _plan(environment: Mapping[str, str]) -> _Plan | None:
    """Return the plan of a request without the packages; None for settings that need them.

    Wrong settings need them too, for their messages.
    """
    given = {name: value for name, value in environment.items() if value}
    url, headers = _url(given), _pairs(_setting(given, "HEADERS"))
    timeout, attributes = (
        _setting(given, "TIMEOUT"),
        _pairs(given.get("OTEL_RESOURCE_ATTRIBUTES", "")),
    )
    if (
        any(name.startswith("OTEL_") and not _KNOWN.fullmatch(name) for name in given)
        or any(name in given for name in ("TRACESTATE", *_PROXIES))
        or given.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp"
        or (_setting(given, "PROTOCOL") or PROTOCOL) != PROTOCOL
        or (timeout and not (_SECONDS.fullmatch(timeout) and float(timeout)))
        or url is None
        or headers is None
        or attributes is None
    ):
        return None
    caller = _caller(given.get("TRACEPARENT", ""))
    return _Plan(
        url=url,
        headers=headers,
        timeout=float(timeout or TIMEOUT_S),
        resource=_resource(attributes, given.get("OTEL_SERVICE_NAME")),
        caller=caller,
    )


def _setting(given: Mapping[str, str], name: str) -> str:
    return given.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or given.get(
        f"OTEL_EXPORTER_OTLP_{name}", ""
    )


def _url(given: Mapping[str, str]) -> SplitResult | None:
    base = given.get("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    text = given.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or f"{base.removesuffix('/')}/v1/traces"
    try:
        url = urlsplit(text)
        is_usual = _URL.fullmatch(text) and url.hostname and url.port != 0 and "@" not in url.netloc
    except ValueError:
        return None
    return url if is_usual else None


def _pairs(text: str) -> Mapping[str, str] | None:
    """Return the values by names; None for a text with other things."""
    found: dict[str, str] = {}
    for each in text.split(","):
        pair = _PAIR.fullmatch(each)
        value = unquote(pair[2]).strip() if pair else ""
        if not value.isascii() or not value.isprintable() or (each.strip() and not pair):
            return None
        if pair:
            found[pair[1]] = value
    return found


def _resource(attributes: Mapping[str, str], name: str | None) -> Mapping[str, str]:
    from img import __version__

    named = {"service.name": name} if name else {}
    return {"service.name": "img", "service.version": __version__, **attributes, **named}


def _caller(traceparent: str) -> Caller | None:
    parent = _PARENT.fullmatch(traceparent)
    if parent is None:
        return None
    trace, span = bytes.fromhex(parent[1]), bytes.fromhex(parent[2])
    if not any(trace) or not any(span):
        return None
    return Caller(trace=trace, span=span, is_sampled=bool(int(parent[3], 16) & 1))
