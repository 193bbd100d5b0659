"""Byte sizes, as docker/go-units and Go's strconv.ParseFloat read them."""

import pytest

from img.domain.go.quantities import BadQuantity, parse_byte_size


@pytest.mark.parametrize(
    ("text", "size"), [("1_000", 1000), ("1_0.5k", 10752), ("1_2_3", 123), (".5k", 512), ("1.", 1)]
)
def test_underscores_separate_digits(text: str, size: int) -> None:
    assert parse_byte_size(text) == size


@pytest.mark.parametrize("text", ["1_", "_1", "1__0", "1_.5", "1_k", ""])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(BadQuantity):
        parse_byte_size(text)


def test_a_size_of_many_digits_is_read_in_one_go() -> None:
    assert parse_byte_size("9" * 100_000) < 0
    with pytest.raises(BadQuantity):
        parse_byte_size("9" * 100_000 + "!")
