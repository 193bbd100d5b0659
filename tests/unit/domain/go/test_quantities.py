"""Byte sizes as docker/go-units reads them, and durations as Go's package time does."""

import pytest

from img.domain.go.quantities import BadQuantity, parse_byte_size, parse_duration


@pytest.mark.parametrize(
    ("text", "size"), [("1_000", 1000), ("1_0.5k", 10752), ("1_2_3", 123), (".5k", 512), ("1.", 1)]
)
def test_underscores_separate_digits(text: str, size: int) -> None:
    assert parse_byte_size(text) == size


@pytest.mark.parametrize("text", ["1_", "_1", "1__0", "1_.5", "1_k", ""])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(BadQuantity):
        parse_byte_size(text)


def test_a_size_above_all_integers_is_the_lowest() -> None:
    assert parse_byte_size("1e308") == -(2**63)


@pytest.mark.parametrize("text", ["9" * 100_000, "9" * 100_000 + "!", "1e309", "+1e999k"])
def test_a_number_that_no_float_holds_is_refused(text: str) -> None:
    with pytest.raises(BadQuantity):
        parse_byte_size(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0.5", "missing unit in duration"),
        ("1h.5", "missing unit in duration"),
        ("5d", 'unknown unit "d" in duration'),
        ("5é", r'unknown unit "\xc3\xa9" in duration'),
        ("h", "invalid duration"),
        ("9223372036854775807us1", "invalid duration"),
        ("9223372036854775809x", "invalid duration"),
    ],
)
def test_a_bad_duration_is_refused_in_the_words_of_go(text: str, problem: str) -> None:
    with pytest.raises(BadQuantity) as raised:
        parse_duration(text)
    shown = text.replace("é", r"\xc3\xa9")
    assert str(raised.value) == f'time: {problem} "{shown}"'
