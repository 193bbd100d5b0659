"""Our build checks against BuildKit's linter: table lint_rules.jsonl and its catalogue.

The tables are data of their own; $IMG_CONFORMANCE names the directory that holds them.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from img.domain.dockerfile.rules.check import ALL_RULES
from tests.unit.domain.dockerfile.rules.checking import a_check

TABLES = (
    Path(os.environ.get("IMG_CONFORMANCE", Path(__file__).parents[3] / "shared" / "conformance"))
    / "tables"
)
Row = dict[str, Any]


def rows() -> list[Row]:
    table = TABLES / "lint_rules.jsonl"
    if not table.exists():
        return []
    return [json.loads(line) for line in table.read_text("utf-8").splitlines()]


ROWS = rows()

pytestmark = pytest.mark.skipif(not ROWS, reason="$IMG_CONFORMANCE names no conformance tables")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["id"]))
def test_a_dockerfile_gets_the_warnings_of_buildkit(row: Row) -> None:
    found = a_check(row["dockerfile"])
    assert [
        {"rule": each.rule, "lines": [each.lines[0]], "detail": each.detail}
        for each in found.warnings
    ] == row["expect"]["warnings"]
    assert (found.error is not None) == ("build_error" in row["expect"]), found.error


def test_the_rules_are_those_of_buildkit() -> None:
    catalogue = json.loads((TABLES / "lint_rules_catalogue.json").read_text("utf-8"))
    assert {each.name: (each.description, each.url, each.experimental) for each in ALL_RULES} == {
        each["name"]: (each["description"], each["url"], each["experimental"]) for each in catalogue
    }
