"""Every answer of buildx's own function table."""

import json
from decimal import Decimal

from img.adapters.definition_files.password_hash import hash_password
from img.domain.bake.errors import BakeSyntaxError, SourceText
from img.domain.bake.functions.library import Surroundings, library
from img.domain.bake.language.body import parse_hcl
from img.domain.bake.language.scope import Budget, Scope
from img.domain.bake.values.numbers import Number
from img.domain.bake.values.value import Value
from tests.support.host.machine import conformance


def _rows() -> list[dict[str, object]]:
    lines = conformance("bake", "functions.jsonl").read_text("utf-8").split("\n")
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
    wrong = {row["call"]: why for row in _rows() if (why := _wrong(row))}

    assert not wrong
