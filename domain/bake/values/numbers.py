"""Numbers of 512 binary digits, rounded as Go's math/big rounds them."""

import re
from fractions import Fraction
from functools import total_ordering

PRECISION = 512  # binary digits; go-cty parses all numbers so
_MOST_EXPONENT = 1 << 20  # of two; larger numbers are infinite here
MOST_DIGITS = 4_000  # decimal digits of a number as text
_NUMBER = r"(?a)([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?"


class BadNumber(ValueError):
    """Text that is no number, or an operation without a result."""


@total_ordering
class Number:
    """A binary floating-point number: ``mantissa`` times two to the ``exponent``.

    ``precision`` is the number of binary digits that results are rounded to.
    """

    __slots__ = ("exponent", "infinite", "mantissa", "precision")

    def __init__(
        self, mantissa: int, exponent: int = 0, precision: int = PRECISION, *, infinite: int = 0
    ) -> None:
        excess = mantissa.bit_length() - precision
        if excess > 0:
            mantissa = _round_off(mantissa, excess)
            exponent += excess
        if mantissa:
            zeros = (mantissa & -mantissa).bit_length() - 1
            mantissa >>= zeros
            exponent += zeros
            if mantissa.bit_length() + exponent > _MOST_EXPONENT:
                infinite = 1 if mantissa > 0 else -1
            elif mantissa.bit_length() + exponent < -_MOST_EXPONENT:
                mantissa = 0
        if infinite or not mantissa:
            mantissa, exponent = 0, 0
        self.mantissa = mantissa
        self.exponent = exponent
        self.precision = precision
        self.infinite = infinite

    @classmethod
    def of_float(cls, number: float) -> "Number":
        """Return ``number`` with the 53 digits that it has. Raises BadNumber."""
        if number != number:  # noqa: PLR0124
            raise BadNumber("not a number")
        if number in (float("inf"), float("-inf")):
            return cls(0, 0, 53, infinite=1 if number > 0 else -1)
        top, bottom = number.as_integer_ratio()
        return cls(top, 1 - bottom.bit_length(), 53)

    @classmethod
    def of_fraction(cls, value: Fraction, precision: int = PRECISION) -> "Number":
        """Return ``value``, rounded to the nearest."""
        top, bottom = value.numerator, value.denominator
        shift = precision + 2 + bottom.bit_length() - top.bit_length()
        shift = max(shift, 0)
        whole, rest = divmod(abs(top) << shift, bottom)
        # A digit behind the last one tells that something was cut off.
        whole = (whole << 1) | (1 if rest else 0)
        return cls(-whole if top < 0 else whole, -shift - 1, precision)

    @classmethod
    def parse(cls, text: str) -> "Number":
        """Return the number that ``text`` is. Raises BadNumber."""
        found = re.fullmatch(_NUMBER, text)
        if not found or not (found[2] or found[3]):
            raise BadNumber(text)
        sign, whole, fraction, exponent = found.groups()
        fraction = fraction or ""
        digits = (whole + fraction)[:MOST_DIGITS]
        power = int(exponent[:12]) if exponent else 0
        power -= len(fraction) - max(0, len(whole + fraction) - MOST_DIGITS)
        mantissa = int(digits) * (-1 if sign == "-" else 1)
        if not mantissa:
            return cls(0)
        if abs(power) > 300_000:
            return cls(0, infinite=(1 if mantissa > 0 else -1)) if power > 0 else cls(0)
        if power >= 0:
            return cls(mantissa * 10**power)
        return cls.of_fraction(Fraction(mantissa, 10**-power))

    def fraction(self) -> Fraction:
        """Return the exact value. Raises BadNumber for an infinite one."""
        if self.infinite:
            raise BadNumber("infinite")
        if self.exponent >= 0:
            return Fraction(self.mantissa << self.exponent)
        return Fraction(self.mantissa, 1 << -self.exponent)

    def __float__(self) -> float:
        if self.infinite:
            return self.infinite * float("inf")
        try:
            return float(self.fraction())
        except OverflowError:
            return float("inf") if self.mantissa > 0 else float("-inf")

    def is_whole(self) -> bool:
        """Tell whether this is finite and has no fraction."""
        return not self.infinite and self.exponent >= 0

    def whole(self) -> int:
        """Return the number without its fraction, cut towards zero. Raises BadNumber."""
        if self.infinite:
            raise BadNumber("infinite")
        if self.exponent >= 0:
            return self.mantissa << self.exponent
        cut = abs(self.mantissa) >> -self.exponent
        return -cut if self.mantissa < 0 else cut

    @property
    def sign(self) -> int:
        """1, 0 or -1."""
        return self.infinite or (self.mantissa > 0) - (self.mantissa < 0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and (self.mantissa, self.exponent, self.infinite) == (
            other.mantissa,
            other.exponent,
            other.infinite,
        )

    def __hash__(self) -> int:
        return hash((self.mantissa, self.exponent, self.infinite))

    def __lt__(self, other: "Number") -> bool:
        if self.infinite or other.infinite or self.sign != other.sign:
            key = (self.infinite, self.sign)
            return key < (other.infinite, other.sign)
        least = min(self.exponent, other.exponent)
        return self.mantissa << (self.exponent - least) < other.mantissa << (other.exponent - least)

    def __neg__(self) -> "Number":
        return Number(-self.mantissa, self.exponent, self.precision, infinite=-self.infinite)

    def __abs__(self) -> "Number":
        return -self if self.sign < 0 else self

    def __add__(self, other: "Number") -> "Number":
        precision = max(self.precision, other.precision)
        if self.infinite or other.infinite:
            if self.infinite + other.infinite == 0:
                raise BadNumber("can't compute sum of opposing infinities")
            return Number(0, 0, precision, infinite=self.infinite or other.infinite)
        if not self.mantissa or not other.mantissa:
            kept = self if self.mantissa else other
            return Number(kept.mantissa, kept.exponent, precision)
        high, low = (self, other) if self.exponent >= other.exponent else (other, self)
        distance = high.exponent - low.exponent
        if distance > 4 * PRECISION:  # too far from one another to matter but for rounding
            return Number(high.mantissa, high.exponent, precision)
        total = (high.mantissa << distance) + low.mantissa
        return Number(total, low.exponent, precision)

    def __sub__(self, other: "Number") -> "Number":
        if self.infinite and self.infinite == other.infinite:
            raise BadNumber("can't subtract infinity from itself")
        return self + -other

    def __mul__(self, other: "Number") -> "Number":
        precision = max(self.precision, other.precision)
        if self.infinite or other.infinite:
            if not self.sign or not other.sign:
                raise BadNumber("can't multiply zero by infinity")
            return Number(0, 0, precision, infinite=self.sign * other.sign)
        return Number(self.mantissa * other.mantissa, self.exponent + other.exponent, precision)

    def __truediv__(self, other: "Number") -> "Number":
        precision = max(self.precision, other.precision)
        if other.infinite:
            if self.infinite:
                raise BadNumber("can't divide zero by zero or infinity by infinity")
            return Number(0, 0, precision)
        if self.infinite or not other.mantissa:
            if not self.sign:
                raise BadNumber("can't divide zero by zero or infinity by infinity")
            return Number(0, 0, precision, infinite=self.sign * (other.sign or 1))
        quotient = Number.of_fraction(Fraction(self.mantissa, other.mantissa), precision)
        return Number(
            quotient.mantissa, quotient.exponent + self.exponent - other.exponent, precision
        )

    def __mod__(self, other: "Number") -> "Number":
        """Return the remainder of a division cut towards zero; all of it for zero and infinity."""
        if self.infinite or other.infinite or not other.mantissa:
            return self
        return self - Number((self / other).whole(), 0, PRECISION) * other

    def __str__(self) -> str:
        """Return the shortest decimal text that gives this number again (big.Float, 'f', -1)."""
        if self.infinite:
            return "+Inf" if self.infinite > 0 else "-Inf"
        if abs(self.exponent) + PRECISION > 3 * MOST_DIGITS:
            raise BadNumber(f"a number with more than {MOST_DIGITS} digits")
        sign = "-" if self.mantissa < 0 else ""
        if self.exponent >= 0 and self.mantissa.bit_length() + self.exponent <= self.precision:
            return str(self.mantissa << self.exponent)
        digits, point = self._shortest()
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        if point >= len(digits):
            return sign + digits.ljust(point, "0")
        return f"{sign}{digits[:point]}.{digits[point:]}"

    def __repr__(self) -> str:
        return f"Number({self})"

    def _shortest(self) -> tuple[str, int]:
        """Return decimal digits and the place of the point among them."""
        value = abs(self.fraction())
        # Half of the distance to the next numbers: what lies within is read as this number.
        half = Fraction(2) ** (abs(self.mantissa).bit_length() + self.exponent - self.precision - 1)
        # Below a power of two the numbers are twice as close to one another.
        below = half / 2 if abs(self.mantissa) == 1 else half
        point = _decimal_exponent(value)
        low, high = 1, 1 + PRECISION
        while low < high:
            middle = (low + high) // 2
            if -below < _rounded(value, middle - point) - value < half:
                high = middle
            else:
                low = middle + 1
        scaled = _rounded(value, low - point) * Fraction(10) ** (low - point)
        digits = str(int(scaled))
        return digits.rstrip("0") or "0", point + len(digits) - low


def _round_off(mantissa: int, excess: int) -> int:
    """Return ``mantissa`` without ``excess`` binary digits, to the nearest, ties to even."""
    sign = -1 if mantissa < 0 else 1
    magnitude = abs(mantissa)
    kept, rest = magnitude >> excess, magnitude & ((1 << excess) - 1)
    half = 1 << (excess - 1)
    if rest > half or (rest == half and kept & 1):
        kept += 1
    return sign * kept


def _decimal_exponent(value: Fraction) -> int:
    """Return n with 10**(n-1) <= value < 10**n."""
    estimate = len(str(value.numerator)) - len(str(value.denominator))
    while value >= Fraction(10) ** estimate:
        estimate += 1
    while value < Fraction(10) ** (estimate - 1):
        estimate -= 1
    return estimate


def _rounded(value: Fraction, places: int) -> Fraction:
    """Return ``value`` with ``places`` decimal places, to the nearest, ties to even."""
    return Fraction(round(value * Fraction(10) ** places)) / Fraction(10) ** places
