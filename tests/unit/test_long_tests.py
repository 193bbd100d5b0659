"""The workers of a run have an equal share of the long tests, and begin with them."""

from dataclasses import dataclass
from typing import cast

import pytest

from tests.long_tests import dealt

CONFORMANCE = "test_every_case_comes_out_as_buildkit_builds_it"
CRASHES = "test_whatever_is_killed_at_whatever_moment"
EPOCH = "test_with_source_date_epoch_the_manifest_has_the_same_digest"


@dataclass(frozen=True)
class Named:
    name: str
    fixturenames: tuple[str, ...] = ()


def names(workers: int, *items: Named) -> list[str]:
    return [item.name for item in dealt(cast("tuple[pytest.Item, ...]", items), workers)]


def test_each_part_begins_with_long_tests() -> None:
    short = [Named(f"test_{number}") for number in range(7)]

    order = names(2, *short, Named(f"{CRASHES}[1]"), Named(f"{CRASHES}[2]"), Named(CONFORMANCE))

    assert order == [
        *(CONFORMANCE, "test_0", "test_1", "test_2", "test_3"),
        *(f"{CRASHES}[1]", f"{CRASHES}[2]", "test_4", "test_5", "test_6"),
    ]


def test_one_worker_alone_makes_the_base_image_that_others_would_wait_for() -> None:
    debian = ("debian_layout",)

    order = names(2, Named(CRASHES), Named(EPOCH, debian), Named(CONFORMANCE, debian))

    assert order == [CONFORMANCE, CRASHES, EPOCH]


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_no_test_is_lost(workers: int) -> None:
    items = [Named(CONFORMANCE), Named(CRASHES), Named(EPOCH), Named("test_1"), Named("test_2")]

    assert sorted(names(workers, *items)) == sorted(item.name for item in items)
