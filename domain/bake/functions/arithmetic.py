"""Functions of numbers and truth values (cty/function/stdlib/number.go, bool.go)."""

import math
from collections.abc import Callable

from img.domain.bake.functions.signature import function, integer
from img.domain.bake.language.operators import equal
from img.domain.bake.language.scope import Function, FunctionFault
from img.domain.bake.values.numbers import BadNumber, Number
from img.domain.bake.values.types import NUMBER
from img.domain.bake.values.value import Value, boolean, list_of, number

_MOST_IN_RANGE = 1024
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _binary(operation: Callable[[Number, Number], Number]) -> Function:
    def apply(one: Value, other: Value) -> Value:
        try:
            return number(operation(one.number, other.number))
        except BadNumber as error:
            raise FunctionFault(str(error)) from None

    return function("a:n b:n", apply)


def _compare(operation: Callable[[Number, Number], bool]) -> Function:
    return function("a:n b:n", lambda a, b: boolean(operation(a.number, b.number)))


def _whole(rounding: Callable[[Number], int]) -> Function:
    def apply(num: Value) -> Value:
        if num.number.is_whole() or num.number.infinite:
            return num
        return number(Number(rounding(num.number)))

    return function("num:n", apply)


def _floor(value: Number) -> int:
    return math.floor(value.fraction())


def _float(value: float) -> Value:
    try:
        return number(Number.of_float(value))
    except BadNumber:
        raise FunctionFault("the result is not a number") from None


def _log(num: Value, base: Value) -> Value:
    def logarithm(value: float) -> float:
        if value == 0:
            return float("-inf")
        return math.log(value) if value > 0 else float("nan")

    top, bottom = logarithm(float(num.number)), logarithm(float(base.number))
    if bottom == 0:
        return _float(float("nan") if top == 0 or top != top else math.copysign(math.inf, top))  # noqa: PLR0124
    return _float(top / bottom)


def _pow(num: Value, power: Value) -> Value:
    try:
        return _float(math.pow(float(num.number), float(power.number)))
    except OverflowError:
        odd = float(num.number) < 0 and float(power.number) % 2 == 1
        return _float(float("-inf") if odd else float("inf"))
    except ValueError:
        return _float(math.inf if not num.number.sign else math.nan)


def _parseint(text: Value, base: Value) -> Value:
    if not isinstance(text.raw, str):
        raise FunctionFault(f"first argument must be a string, not {text.type.friendly}", 0)
    radix = integer(base.number, 1)
    if not 2 <= radix <= 62:
        raise FunctionFault("base must be a whole number between 2 and 62 inclusive", 1)
    raw = text.raw
    digits = raw[1:] if raw[:1] in ("+", "-") else raw
    if radix <= 36:
        digits = digits.lower()
    allowed = set(_DIGITS[:radix])
    if not digits or not set(digits) <= allowed or len(digits) > 10_000:
        raise FunctionFault(f'cannot parse "{raw}" as a base {radix} integer', 0)
    total = 0
    for digit in digits:
        total = total * radix + _DIGITS.index(digit)
    return number(Number(-total if raw[0] == "-" else total))


def _extreme(choose: Callable[..., Value], *numbers: Value) -> Value:
    if not numbers:
        raise FunctionFault("must pass at least one number")
    return choose(numbers, key=lambda value: value.number)


def _range(*params: Value) -> Value:
    zero, one = Number(0), Number(1)
    numbers = [value.number for value in params]
    if not 1 <= len(numbers) <= 3:
        raise FunctionFault("must have one, two, or three arguments")
    start = zero if len(numbers) == 1 else numbers[0]
    end = numbers[0] if len(numbers) == 1 else numbers[1]
    step = numbers[2] if len(numbers) == 3 else (one if start <= end else -one)
    if step.sign > 0 and end < start:
        raise FunctionFault("end must be greater than start when step is positive", None)
    if step.sign < 0 and start < end:
        raise FunctionFault("end must be less than start when step is negative", None)
    made: list[Value] = []
    at = start
    while (at < end) if start <= end else (at > end):
        if len(made) >= _MOST_IN_RANGE:
            raise FunctionFault(
                f"more than {_MOST_IN_RANGE} values were generated; either decrease the difference "
                "between start and end or use a smaller step"
            )
        made.append(number(at))
        at = at + step
    return list_of(NUMBER, made)


ARITHMETIC = {
    "absolute": function("num:n", lambda num: number(abs(num.number))),
    "add": _binary(lambda a, b: a + b),
    "subtract": _binary(lambda a, b: a - b),
    "multiply": _binary(lambda a, b: a * b),
    "divide": _binary(lambda a, b: a / b),
    "modulo": _binary(lambda a, b: a % b),
    "negate": function("num:n", lambda num: number(-num.number)),
    "ceil": _whole(lambda value: -_floor(-value)),
    "floor": _whole(_floor),
    "int": _whole(Number.whole),
    "log": function("num:n base:n", _log),
    "pow": function("num:n power:n", _pow),
    "signum": function(
        "num:n", lambda num: number((i := integer(num.number)) and (1 if i > 0 else -1))
    ),
    "parseint": function("number:a base:n", _parseint),
    "max": function("numbers:n...", lambda *numbers: _extreme(max, *numbers)),
    "min": function("numbers:n...", lambda *numbers: _extreme(min, *numbers)),
    "range": function("params:n...", _range),
    "greaterthan": _compare(lambda a, b: a > b),
    "greaterthanorequalto": _compare(lambda a, b: a >= b),
    "lessthan": _compare(lambda a, b: a < b),
    "lessthanorequalto": _compare(lambda a, b: a <= b),
    "and": function("a:b b:b", lambda a, b: boolean(a.truth and b.truth)),
    "or": function("a:b b:b", lambda a, b: boolean(a.truth or b.truth)),
    "not": function("val:b", lambda val: boolean(not val.truth)),
    "equal": function("a:a? b:a?", lambda a, b: boolean(equal(a, b))),
    "notequal": function("a:a? b:a?", lambda a, b: boolean(not equal(a, b))),
}
