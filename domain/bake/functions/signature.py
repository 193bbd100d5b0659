"""Helpers to write a function down in one line."""

from collections.abc import Callable

from img.domain.bake.language.scope import Function, FunctionFault, Parameter
from img.domain.bake.values.numbers import Number
from img.domain.bake.values.types import BOOL, DYNAMIC, NUMBER, STRING, ListOf, MapOf, SetOf, Type
from img.domain.bake.values.value import Value

LIST = ListOf(DYNAMIC)
STRINGS = ListOf(STRING)
SET = SetOf(DYNAMIC)
BYTES = type(STRING)("bytes")
_TYPES: dict[str, Type] = {
    "s": STRING,
    "n": NUMBER,
    "b": BOOL,
    "a": DYNAMIC,
    "list": LIST,
    "strings": STRINGS,
    "set": SET,
    "bytes": BYTES,
    "map": MapOf(DYNAMIC),
}
_MOST_INTEGER = 1 << 63


def function(parameters: str, implementation: Callable[..., Value]) -> Function:
    """Return a function with parameters such as ``"str:s start:n values:a?..."``.

    A letter is a type; ``?`` lets a parameter be null, ``...`` makes it take the rest.
    """
    fixed: list[Parameter] = []
    variadic = None
    for word in parameters.split():
        name, _, kind = word.partition(":")
        parameter = Parameter(name, _TYPES[kind.rstrip("?.")], "?" in kind)
        if kind.endswith("..."):
            variadic = parameter
        else:
            fixed.append(parameter)
    return Function(tuple(fixed), implementation, variadic=variadic)


def integer(number: Number, argument: int | None = None) -> int:
    """Return a number as Go's int64. Raises FunctionFault."""
    if not number.is_whole() or not -_MOST_INTEGER <= number.whole() < _MOST_INTEGER:
        raise FunctionFault(
            "value must be a whole number, between -9223372036854775808 and 9223372036854775807",
            argument,
        )
    return number.whole()
