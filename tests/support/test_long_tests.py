"""The long tests come first, the longest of them before the others."""

from dataclasses import dataclass
from typing import cast

import pytest

from tests.support.long_tests import longest_first


@dataclass(frozen=True)
class Named:
    name: str


def test_the_longest_come_first_and_the_others_stay_in_their_order() -> None:
    conformance = Named("test_every_case_comes_out_as_buildkit_builds_it")
    crashes = [Named(f"test_whatever_is_killed_at_whatever_moment[{n}]") for n in (1, 2)]
    short = [Named("test_b"), Named("test_a")]
    items = [short[0], crashes[0], short[1], conformance, crashes[1]]

    ordered = longest_first(cast("list[pytest.Item]", items))

    assert [item.name for item in ordered] == [i.name for i in (conformance, *crashes, *short)]
