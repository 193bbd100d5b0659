"""The functions answer as buildx's own function table does."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from img.adapters.definition_files.password_hash import hash_password
from img.domain.bake.errors import BakeSyntaxError, SourceText
from img.domain.bake.functions.library import Surroundings, library
from img.domain.bake.language.body import parse_hcl
from img.domain.bake.language.scope import Budget, Scope
from img.domain.bake.values.numbers import Number
from img.domain.bake.values.value import Value
from tests.support.host.machine import CONFORMANCE

_TABLE = CONFORMANCE / "bake" / "functions.jsonl"


def _rows(table: Path) -> list[dict[str, object]]:
    if not table.exists():
        return []
    lines = table.read_text("utf-8").split("\n")
    return [json.loads(line, parse_float=Decimal) for line in lines if line]


def _evaluated(call: str) -> Value:
    budget = Budget()
    surroundings = Surroundings(
        1_700_000_000, "/home/user", lambda count: bytes(range(count)), hash_password
    )
    body = parse_hcl(SourceText("t", f"v = {call}\n"))
    scope = Scope({}, library(surroundings, budget), budget)
    return body.attributes["v"].expression.value(scope)


def _plain(value: Value) -> object:
    match value.raw:
        case Number():
            return Decimal(str(value.raw))
        case tuple():
            return [_plain(item) for item in value.raw]
        case None | str() | bool():
            return value.raw
    return {name: _plain(item) for name, item in value.fields.items()}


def _wrong(row: dict[str, object]) -> str:
    try:
        value = _evaluated(str(row["call"]))
    except BakeSyntaxError as error:
        found = f"{error.summary}; {error.detail}"
        wanted = str(row.get("error", "a value"))
        # What Go's own libraries say is quoted in the rest.
        return "" if found[:40] == wanted[:40] else f"{found}, not {wanted}"
    if "error" in row:
        return f"{value}, not {row['error']}"
    kind = value.type.constraint.replace("dynamic", "any")
    if row.get("infinite"):
        return "" if value.number.infinite else f"{value} is finite"
    if kind != row["type"] or _plain(value) != row["expect"]:
        return f"{kind} {_plain(value)}, not {row['type']} {row['expect']}"
    return ""


def test_functions_answer_as_in_buildx() -> None:
    rows = _rows(_TABLE)
    if not rows:
        pytest.skip(f"there is no table at {_TABLE}")

    wrong = {row["call"]: why for row in rows if (why := _wrong(row))}

    assert not wrong


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ('rsadecrypt("x", "y")', "Error in function call"),
        ('regexall("(x{1000}){1000}", "a")', "Invalid function argument"),
        ('format("%99999999s", "x")', "Error in function call"),
        ("setproduct(range(1000), range(1000))", "Error in function call"),
        ('jsondecode("[1,")', "Error in function call"),
        ("pow(-1, 0.5)", "Error in function call"),
        ('bcrypt("a", 17)', "Error in function call"),
        (f'bcrypt("{"a" * 73}")', "Error in function call"),
    ],
)
def test_hostile_calls_fail_at_their_place(call: str, expected: str) -> None:
    with pytest.raises(BakeSyntaxError) as caught:
        _evaluated(call)

    assert caught.value.summary == expected
    assert caught.value.lines == (1, 1)
