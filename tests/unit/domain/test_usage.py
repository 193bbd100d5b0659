"""Filters of what the state holds."""

from datetime import UTC, datetime, timedelta

import pytest

from img.domain.errors import UsageError
from img.domain.usage import Kind, Since, UsageFilter, parse_filters

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["until=24h"], UsageFilter(until=NOW - timedelta(hours=24))),
        (["unused-for=24h"], UsageFilter(until=NOW - timedelta(hours=24))),
        (["type=regular"], UsageFilter(kinds=frozenset({Kind.LAYER}))),
        (["id=ab", "id=cd"], UsageFilter(ids=frozenset({"ab", "cd"}))),
        (["inuse", "mutable=0"], UsageFilter(facts={"inuse": True, "mutable": False})),
        (["text"], UsageFilter(text="text")),
    ],
)  # fmt: skip
def test_filters_are_those_of_docker_and_buildx(texts: list[str], wanted: UsageFilter) -> None:
    assert parse_filters(texts, Since(NOW)) == wanted


@pytest.mark.parametrize("text", ["until=someday", "type=none", "name=x", "reclaimable=maybe"])
def test_what_is_no_filter_is_said(text: str) -> None:
    with pytest.raises(UsageError):
        parse_filters([text], Since(NOW))
