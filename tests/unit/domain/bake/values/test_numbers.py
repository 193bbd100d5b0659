"""Numbers have 512 binary digits and print as the shortest text that means them."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.bake.values.numbers import BadNumber, Number

_DECIMALS = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40, places=12
)


@given(_DECIMALS)
def test_a_decimal_comes_back_as_it_was_written(value: Decimal) -> None:
    text = format(value, "f")

    assert Decimal(str(Number.parse(text))) == value


@given(_DECIMALS, _DECIMALS)
def test_sums_and_products_keep_150_digits(one: Decimal, other: Decimal) -> None:
    a, b = Number.parse(str(one)), Number.parse(str(other))
    total, product = Fraction(one) + Fraction(other), Fraction(one) * Fraction(other)
    smallest = max(abs(Fraction(one)), abs(Fraction(other))) / 10**150

    assert abs((a + b).fraction() - total) <= smallest
    assert abs((a * b).fraction() - product) <= abs(product) / 10**150


@given(st.integers(), st.integers())
def test_whole_numbers_order_and_add_as_integers(one: int, other: int) -> None:
    assert (Number(one) < Number(other)) is (one < other)
    if abs(one) < 2**500 and abs(other) < 2**500:
        assert (Number(one) + Number(other)).whole() == one + other


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_print_as_python_prints_them(value: float) -> None:
    assert float(str(Number.of_float(value))) == value


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Number.parse("0.1") + Number.parse("0.2"), "0.3"),
        (Number.parse("1e21"), "1" + "0" * 21),
        (Number.parse("1.50"), "1.5"),
        (Number(5) / Number(0), "+Inf"),
        (Number(-7) % Number(3), "-1"),
        (Number(5) % Number(0), "5"),
    ],
)
def test_results_of_arithmetic(number: Number, text: str) -> None:
    assert str(number) == text


def test_a_third_has_155_digits() -> None:
    assert len(str(Number(1) / Number(3))) == len("0.") + 155


def test_a_number_too_long_to_print_is_refused() -> None:
    with pytest.raises(BadNumber, match="digits"):
        str(Number.parse("1e200000"))
