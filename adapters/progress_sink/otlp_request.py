"""Requests with spans in OTLP's protocol buffers (opentelemetry-proto 1, trace/v1/trace.proto)."""

import os
from collections.abc import Iterable, Mapping

from img.adapters.progress_sink.spans import Span, Value
from img.domain.dataclass import dataclass

BATCH = 512  # spans in a request, as the SDK's own batches
TIMEOUT_S = 3.0  # without a variable: the user waits for it
REFUSED = "the collector of OTEL_EXPORTER_OTLP_ENDPOINT did not take them"
PROTOCOL = "http/protobuf"

_FIXED64, _BYTES, _FIXED32 = 1, 2, 5  # wire types
_INTERNAL = 1  # a kind of span
_ERROR = 2  # a status
_IS_SAMPLED, _HAS_IS_REMOTE, _IS_REMOTE = 1, 0x100, 0x200
_INT64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The span that a command belongs to (W3C Trace Context)."""

    trace: bytes
    span: bytes
    is_sampled: bool


class SpanRequests:
    """The spans of one command as bodies of requests."""

    def __init__(self, resource: Mapping[str, Value], caller: Caller | None) -> None:
        self._resource = _field(1, _attributes(1, resource))
        self._trace = os.urandom(16) if caller is None else caller.trace
        self._caller = caller
        self._ids: dict[int, bytes] = {}

    def encode(self, spans: Iterable[Span]) -> bytes:
        """Return an ExportTraceServiceRequest; parents and inputs of spans come before them."""
        scope = _field(1, _text(1, "img"))
        encoded = b"".join(_field(2, self._span(each)) for each in spans)
        return _field(1, self._resource + _field(2, scope + encoded))

    def _span(self, span: Span) -> bytes:
        own = self._ids[id(span)] = os.urandom(8)
        caller = self._caller
        flags = _IS_SAMPLED | _HAS_IS_REMOTE
        parent = None if span.parent is None else self._ids[id(span.parent)]
        if parent is None and caller is not None:
            parent, flags = caller.span, flags | _IS_REMOTE
        parts = [
            _field(1, self._trace),
            _field(2, own),
            b"" if parent is None else _field(4, parent),
            _text(5, span.name),
            _number(6, _INTERNAL),
            _fixed64(7, span.begun),
            _fixed64(8, span.begun if span.ended is None else span.ended),
            _attributes(9, span.attributes),
            *(_field(11, _warning(at, text)) for at, text in span.events),
            *(_field(13, self._link(each)) for each in span.inputs),
            b"" if span.error is None else _field(15, _text(2, span.error) + _number(3, _ERROR)),
            _fixed32(16, flags),
        ]
        return b"".join(parts)

    def _link(self, span: Span) -> bytes:
        flags = _fixed32(6, _IS_SAMPLED | _HAS_IS_REMOTE)
        return _field(1, self._trace) + _field(2, self._ids[id(span)]) + flags


def _warning(at: int, text: str) -> bytes:
    return _fixed64(1, at) + _text(2, "warning") + _attributes(3, {"message": text})


def _attributes(number: int, values: Mapping[str, Value]) -> bytes:
    pairs = [_text(1, name) + _field(2, _any(value)) for name, value in values.items()]
    return b"".join(_field(number, pair) for pair in pairs)


def _any(value: Value) -> bytes:
    match value:
        case bool():
            return _number(2, value)
        case int():
            return _number(3, value)
        case str():
            return _text(1, value)


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode("utf-8", "replace"))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value & _INT64)


def _fixed64(number: int, value: int) -> bytes:
    return _varint(number << 3 | _FIXED64) + value.to_bytes(8, "little")


def _fixed32(number: int, value: int) -> bytes:
    return _varint(number << 3 | _FIXED32) + value.to_bytes(4, "little")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
