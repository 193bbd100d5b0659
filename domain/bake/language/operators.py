"""Operators (hcl/hclsyntax/expression_ops.go)."""

from collections.abc import Callable

from img.domain.bake.errors import BakeSyntaxError, Span
from img.domain.bake.values.convert import BadConversion, convert
from img.domain.bake.values.numbers import BadNumber, Number
from img.domain.bake.values.types import BOOL, DYNAMIC, NUMBER, Type
from img.domain.bake.values.value import Value, boolean, number

PRECEDENCE: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("==", "!="),
    (">", ">=", "<", "<="),
    ("+", "-"),
    ("*", "/", "%"),
)

_ARITHMETIC: dict[str, Callable[[Number, Number], Number]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": lambda a, b: a % b,
}
_COMPARISONS: dict[str, Callable[[Number, Number], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def unary(operator: str, operand: Value, operand_span: Span, span: Span) -> Value:
    """Return ``-operand`` or ``!operand``. Raises BakeSyntaxError."""
    wanted = BOOL if operator == "!" else NUMBER
    converted = _operand(operand, wanted, "unary", operand_span)
    _refuse_null(converted, span)
    return boolean(not converted.truth) if operator == "!" else number(-converted.number)


def binary(
    operator: str, left: Value, right: Callable[[], Value], left_span: Span, right_span: Span
) -> Value:
    """Return ``left operator right``; the right one is looked at only when it matters.

    Raises BakeSyntaxError.
    """
    span = left_span.to(right_span)
    if operator in ("&&", "||"):
        return _logical(operator, left, right, left_span, right_span)
    if operator in ("==", "!="):
        return boolean(equal(left, right()) == (operator == "=="))
    one = _operand(left, NUMBER, "left", left_span)
    other = _operand(right(), NUMBER, "right", right_span)
    _refuse_null(one, span)
    _refuse_null(other, span)
    if operator in _COMPARISONS:
        return boolean(_COMPARISONS[operator](one.number, other.number))
    try:
        return number(_ARITHMETIC[operator](one.number, other.number))
    except BadNumber as error:
        raise BakeSyntaxError(
            "Operation failed", f"Error during operation: {error}.", span
        ) from None


def equal(one: Value, other: Value) -> bool:
    """Tell whether two values are equal: in type and content, or both null."""
    if one.is_null or other.is_null:
        return one.is_null and other.is_null
    return one == other


def _logical(
    operator: str, left: Value, right: Callable[[], Value], left_span: Span, right_span: Span
) -> Value:
    one = _operand(left, BOOL, "left", left_span)
    decided = operator == "||"
    if not one.is_null and one.truth is decided:
        return boolean(decided)
    other = _operand(right(), BOOL, "right", right_span)
    if not other.is_null and other.truth is decided:
        return boolean(decided)
    return boolean(not decided and not one.is_null and not other.is_null)


def _operand(value: Value, wanted: Type, side: str, span: Span) -> Value:
    if value.is_null and value.type is DYNAMIC:
        return Value(wanted, None)
    try:
        return convert(value, wanted)
    except BadConversion as error:
        where = "unary" if side == "unary" else side
        raise BakeSyntaxError(
            "Invalid operand", f"Unsuitable value for {where} operand: {error}.", span
        ) from None


def _refuse_null(value: Value, span: Span) -> None:
    if value.is_null:
        raise BakeSyntaxError(
            "Operation failed", "Error during operation: argument must not be null.", span
        )
