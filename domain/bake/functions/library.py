"""All functions by name (bake/hclparser/stdlib.go)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from img.domain.bake.errors import BakeSyntaxError
from img.domain.bake.functions.arithmetic import ARITHMETIC
from img.domain.bake.functions.collections import COLLECTIONS
from img.domain.bake.functions.encoding import ENCODING, uuid_text
from img.domain.bake.functions.formats import FORMATS
from img.domain.bake.functions.networks import NETWORKS
from img.domain.bake.functions.patterns import pattern_functions
from img.domain.bake.functions.rsa import RSA
from img.domain.bake.functions.sets import SETS
from img.domain.bake.functions.signature import function, integer
from img.domain.bake.functions.text import TEXT
from img.domain.bake.functions.times import TIMES, rfc3339
from img.domain.bake.functions.versions import VERSIONS
from img.domain.bake.language.expressions import Expression
from img.domain.bake.language.scope import Budget, Function, FunctionFault, Parameter, Scope
from img.domain.bake.language.type_syntax import parse_type
from img.domain.bake.values.convert import BadConversion, convert
from img.domain.bake.values.value import FALSE, TRUE, Value, string


class Surroundings(NamedTuple):
    """The facts about this machine that functions need."""

    seconds: int = 0  # since 1970
    home: str = "/"
    random_bytes: Callable[[int], bytes] = bytes


def library(surroundings: Surroundings, budget: Budget) -> Mapping[str, Function]:
    """Return the functions that definitions can call."""
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=surroundings.seconds)
    return {
        **ARITHMETIC,
        **COLLECTIONS,
        **ENCODING,
        **FORMATS,
        **NETWORKS,
        **RSA,
        **SETS,
        **TEXT,
        **TIMES,
        **VERSIONS,
        **pattern_functions(budget.spend),
        "timestamp": function("", lambda: string(rfc3339(now))),
        "homedir": function("", lambda: string(surroundings.home)),
        "uuidv4": function(
            "", lambda: string(uuid_text(bytearray(surroundings.random_bytes(16)), version=4))
        ),
        "bcrypt": function("str:s cost:n...", _bcrypt),
        "try": _lazy("expressions", _try),
        "can": _lazy("expression", _can),
        "convert": _lazy("value", _convert),
    }


def _bcrypt(_: Value, *cost: Value) -> Value:
    if len(cost) > 1:
        raise FunctionFault(f"bcrypt() takes no more than two arguments (got {1 + len(cost)})")
    if cost and not 4 <= integer(cost[0].number, 1) <= 31:
        raise FunctionFault(f"cost {cost[0].number} is outside allowed inclusive range 4..31")
    raise FunctionFault("img has no bcrypt: each call gives another value, so no build repeats")


def _lazy(name: str, implementation: Callable[[Scope, list[Expression]], Value]) -> Function:
    return Function((), implementation, variadic=Parameter(name), lazy=True)


def _try(scope: Scope, expressions: list[Expression]) -> Value:
    if not expressions:
        raise FunctionFault("at least one argument is required")
    faults = []
    for expression in expressions:
        try:
            return expression.value(scope)
        except BakeSyntaxError as error:
            faults.append(f"- {error.summary} (at {error.span})\n  {error.detail}")
    raise FunctionFault(
        "no expression succeeded:\n"
        + "\n".join(faults)
        + "\n\nAt least one expression must produce a successful result"
    )


def _can(scope: Scope, expressions: list[Expression]) -> Value:
    if len(expressions) != 1:
        raise FunctionFault("exactly one argument is required")
    try:
        expressions[0].value(scope)
    except BakeSyntaxError:
        return FALSE
    return TRUE


def _convert(scope: Scope, expressions: list[Expression]) -> Value:
    if len(expressions) != 2:
        raise FunctionFault("a value and a type are required")
    wanted = parse_type(expressions[1])
    try:
        return convert(expressions[0].value(scope), wanted)
    except BadConversion as error:
        raise FunctionFault(str(error)) from None
