"""JSON from outside: any bytes give a value or a clear refusal."""

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.json_text import InvalidJson, parse_json

_ROOT = Path(__file__).parents[3]
# Readers of img's own files, of a Dockerfile's text, or with their own limits.
_OWN = {
    "adapters/build_history/files.py",  # of our own state; arguments keep their surrogates
    "adapters/cluster_launcher/host.py",  # of the process that started it
    "adapters/executor/runtime_starter.py",
    "adapters/linux/outsider.py",
    "adapters/linux/records.py",
    "adapters/linux/host_probe_cache.py",
    "adapters/context_views/listing.py",  # our own, and larger than any document may be
    "adapters/registry/memory.py",
    "adapters/storage/build_traces.py",  # of our own state
    "domain/dockerfile/directives.py",
    "domain/dockerfile/words.py",
    "domain/json_text.py",
}

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"[" * 2_000_000, "more than 64 arrays and objects in one another"),
        (b'{"a":' * 65, "more than 64 arrays and objects in one another"),
        (b"[" + b"[]," * 1_000_000 + b"0]", "more than 1000000 values"),
        (b"9" * 5000, "a number of 5000 characters"),
        (b"0." + b"9" * 5000, "a number of 5002 characters"),
        (b"1e999", "out of range"),
        (b"[NaN]", "NaN is no value"),
        (b"-Infinity", "-Infinity is no value"),
        (b'{"a":1,"b":2,"a":3}', "'a' stands there twice"),
        ('{"a":1}'.encode("utf-16"), "no JSON"),
        (b"", "no JSON"),
        (b'"' + b'\\"' * 300_000, "no JSON"),
    ],
    ids=range(12),
)
def test_what_no_reader_should_take_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(InvalidJson) as caught:
        parse_json(text)

    assert why in caught.value.message


def test_a_document_has_a_largest_size() -> None:
    assert parse_json(b'"12345678"', most_bytes=10) == "12345678"
    with pytest.raises(InvalidJson, match="more than 9 bytes"):
        parse_json(b'"12345678"', most_bytes=9)


def test_brackets_in_strings_are_no_depth() -> None:
    text = json.dumps({"a": "[{" * 500, "b": '"[' * 500})

    assert parse_json(text) == json.loads(text)


def test_broken_utf_8_is_replaced() -> None:
    assert parse_json(b'\xef\xbb\xbf["a\xff","\xed\xa0\x80"]') == ["a\ufffd", "\ufffd" * 3]


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert parse_json(b'{"\\ud800":["\\udfffx","\\ud83d\\ude00"]}') == {
        "\ufffd": ["\ufffdx", "\U0001f600"]
    }


@given(_JSON)
def test_values_come_back(value: object) -> None:
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        return

    assert parse_json(text.encode()) == json.loads(
        text.encode().decode("ascii"), parse_float=float
    ) or ("\\ud" in text)


@given(
    st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.text(alphabet='[]{}",:\\u0d8eE-+.19ntfx \n').map(str.encode)
    | st.builds(lambda text, depth: b"[" * depth + text, st.binary(), st.integers(0, 2000))
)
def test_any_bytes_are_a_value_or_refused(text: bytes) -> None:
    try:
        value = parse_json(text)
    except InvalidJson:
        return
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def test_there_is_no_other_door() -> None:
    """Search for JSON parsers besides ``parse_json``; exceptions have a reason."""
    found = {
        str(path.relative_to(_ROOT))
        for folder in ("adapters", "application", "domain", "entrypoints")
        for path in (_ROOT / folder).rglob("*.py")
        if _parses_json(ast.parse(path.read_text(encoding="utf-8")))
    }

    assert found <= _OWN


def _parses_json(module: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in {"load", "loads", "JSONDecoder"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "json"
        for node in ast.walk(module)
    )
