"""The records of decisions have one form, and the list names each of them in order."""

import re
from pathlib import Path

import pytest

from tests.support.host.machine import REPOSITORY

_DECISIONS = REPOSITORY / "docs/adr"
_RECORDS = sorted(_DECISIONS.glob("0*.md"))


def test_the_list_names_each_record_in_order() -> None:
    listed = re.findall(
        r"^(\d+)\. \[.+\]\((\d{4})-(.+)\)$", (_DECISIONS / "README.md").read_text(), re.MULTILINE
    )

    assert [f"{number}-{name}" for _, number, name in listed] == [each.name for each in _RECORDS]
    assert all(int(shown) == int(number) for shown, number, _ in listed)


@pytest.mark.parametrize("record", _RECORDS, ids=lambda path: path.stem)
def test_a_record_says_why_and_what(record: Path) -> None:
    text = record.read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)

    assert text.startswith(f"# {int(record.name[:4])}. ")
    assert headings[0] == "Context"
    assert "Outcome" in headings
