"""docs/security.md names tests that there are."""

import re

import pytest

from tests.support.host.machine import REPOSITORY
from tests.support.named_tests import TEST_NAMES

PAGE = (REPOSITORY / "docs/security.md").read_text()


@pytest.mark.parametrize("file", sorted(set(re.findall(r"`([\w/]+/test_\w+\.py)`", PAGE))))
def test_every_file_that_it_names_is_there(file: str) -> None:
    path = file if file.startswith("tests/") else f"tests/{file}"
    assert (REPOSITORY / path).exists()


def test_every_test_that_it_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert len(named) > 20
    assert named - TEST_NAMES == set()


def test_every_cell_about_img_is_proven() -> None:
    table = PAGE.partition("## Compared with")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "---" not in line]

    assert len(rows) > 15
    assert [row for row in rows[1:] if "`test_" not in row] == []
