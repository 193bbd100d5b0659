"""Images as docker shows them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.image_view import history_of, shown_command
from img.domain.oci.config import History, ImageConfig, moment_of
from img.domain.platform import Platform

AMD64 = Platform("linux", "amd64")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-02T03:04:05Z", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2024-01-02T03:04:05.123456789+01:00", datetime(2024, 1, 2, 2, 4, 5, 123456, tzinfo=UTC)),
        ("2024-01-02T03:04:05", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("", None),
        ("yesterday", None),
    ],
)
def test_times_that_make_no_sense_are_none(text: str, moment: datetime | None) -> None:
    assert moment_of(text) == moment


@given(st.text())
def test_any_time_is_understood_or_none(text: str) -> None:
    moment = moment_of(text)
    assert moment is None or moment.tzinfo is UTC


@given(st.lists(st.booleans(), max_size=6), st.lists(st.integers(0, 9), max_size=6))
def test_every_layer_and_every_step_is_shown(empty: list[bool], sizes: list[int]) -> None:
    history = tuple(History(created_by=str(n), empty_layer=each) for n, each in enumerate(empty))

    steps = history_of(ImageConfig(platform=AMD64, history=history), sizes)

    assert sum(each.size for each in steps) == sum(sizes)
    told = [each.step for each in steps if each.step in history]
    assert told == list(history[::-1])
    assert all(not each.size for each in steps if each.step.empty_layer)


def test_long_commands_are_cut_short() -> None:
    assert shown_command("x" * 45) == "x" * 45
    assert shown_command("x" * 46) == "x" * 44 + "…"
