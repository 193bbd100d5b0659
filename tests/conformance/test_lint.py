"""Our build checks against BuildKit's linter: table lint_rules.jsonl and its catalogue.

The tables are data of their own; $IMG_CONFORMANCE names the directory that holds them.
"""

import json

import pytest

from img.domain.dockerfile.rules.check import ALL_RULES
from tests.support.checking import a_check
from tests.support.conformance_tables import Row, is_there, table_rows
from tests.support.host.machine import CONFORMANCE

pytestmark = pytest.mark.skipif(
    not is_there(), reason="$IMG_CONFORMANCE names no conformance tables"
)


@pytest.mark.parametrize("row", table_rows("lint_rules"), ids=lambda row: str(row["id"]))
def test_a_dockerfile_gets_the_warnings_of_buildkit(row: Row) -> None:
    found = a_check(row["dockerfile"])
    assert [
        {"rule": each.rule, "lines": [each.lines[0]], "detail": each.detail}
        for each in found.warnings
    ] == row["expect"]["warnings"]
    assert (found.error is not None) == ("build_error" in row["expect"]), found.error


def test_the_rules_are_those_of_buildkit() -> None:
    catalogue = json.loads(
        (CONFORMANCE / "tables" / "lint_rules_catalogue.json").read_text("utf-8")
    )
    assert {each.name: (each.description, each.url, each.experimental) for each in ALL_RULES} == {
        each["name"]: (each["description"], each["url"], each["experimental"]) for each in catalogue
    }
