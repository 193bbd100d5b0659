"""The tests that docs/registry.md names as proofs of the 27 behaviours exist."""

import re

import pytest

from tests.support.host.machine import REPOSITORY
from tests.support.named_tests import TEST_NAMES

_BEHAVIOURS = 27


def _rows() -> dict[int, list[str]]:
    """Return the names of tests by the number of their behaviour."""
    text = (REPOSITORY / "docs/registry.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \|[^|]*\|([^|]*)\|$", text, re.MULTILINE)
    return {int(number): re.findall(r"`(\w+)`", proofs) for number, proofs in rows}


def test_every_behaviour_has_its_row() -> None:
    assert list(_rows()) == list(range(1, _BEHAVIOURS + 1))


@pytest.mark.parametrize("number", range(1, _BEHAVIOURS + 1))
def test_every_proof_is_a_test(number: int) -> None:
    proofs = _rows()[number]

    assert proofs
    assert set(proofs) <= TEST_NAMES
