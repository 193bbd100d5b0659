"""docs/registry.md names a proof for each of the 27 behaviours: they have to exist."""

import re
from functools import cache

import pytest

from tests.support.host.machine import REPOSITORY

_BEHAVIOURS = 27


def _rows() -> dict[int, list[str]]:
    """Return the names of tests by the number of their behaviour."""
    text = (REPOSITORY / "docs/registry.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \|[^|]*\|([^|]*)\|$", text, re.MULTILINE)
    return {int(number): re.findall(r"`(\w+)`", proofs) for number, proofs in rows}


@cache
def _tests() -> frozenset[str]:
    return frozenset(
        name
        for file in (REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", file.read_text("utf-8"), re.MULTILINE)
    )


def test_every_behaviour_has_its_row() -> None:
    assert list(_rows()) == list(range(1, _BEHAVIOURS + 1))


@pytest.mark.parametrize("number", range(1, _BEHAVIOURS + 1))
def test_every_proof_is_a_test(number: int) -> None:
    proofs = _rows()[number]

    assert proofs
    assert set(proofs) <= _tests()
