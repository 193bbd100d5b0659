"""All functions by name (bake/hclparser/stdlib.go)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from img.domain.bake.errors import BakeError, BakeSyntaxError
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

_USUAL_COST, _SMALLEST_COST, _LARGEST_COST = 10, 4, 31
_LONGEST_PASSWORD = 72  # bytes
_STEPS_OF_HASH = 4  # of the budget, doubled for each unit of the cost

HashPassword = Callable[[bytes, int], str]
"""Returns the bcrypt hash of a password with a cost, another one in each call. Raises BakeError."""


class Surroundings(NamedTuple):
    """The facts about this machine that functions need, and one function of another package."""

    seconds: int = 0  # since 1970
    home: str = "/"
    random_bytes: Callable[[int], bytes] = bytes
    hash_password: HashPassword | None = None


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
        "bcrypt": function("str:s cost:n...", _bcrypt(surroundings.hash_password, budget)),
        "try": _lazy("expressions", _try),
        "can": _lazy("expression", _can),
        "convert": _lazy("value", _convert),
    }


def _bcrypt(hash_password: HashPassword | None, budget: Budget) -> Callable[..., Value]:
    """Return the function (go-cty-funcs/crypto, bcrypt.go; golang.org/x/crypto/bcrypt)."""

    def bcrypt(text: Value, *costs: Value) -> Value:
        if len(costs) > 1:
            raise FunctionFault(f"bcrypt() takes no more than two arguments (got {1 + len(costs)})")
        cost = integer(costs[0].number, 1) if costs else _USUAL_COST
        if cost > _LARGEST_COST:
            raise FunctionFault(
                f"error occured generating password crypto/bcrypt: cost {cost} is outside allowed "
                f"inclusive range {_SMALLEST_COST}..{_LARGEST_COST}"
            )
        if cost < _SMALLEST_COST:
            cost = _USUAL_COST
        password = text.text.encode()
        if len(password) > _LONGEST_PASSWORD:
            raise FunctionFault(
                "error occured generating password bcrypt: password length exceeds 72 bytes"
            )
        if hash_password is None:
            raise FunctionFault("bcrypt is not installed")
        try:
            budget.spend(_STEPS_OF_HASH << cost)
            return string(hash_password(password, cost))
        except BakeError as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise FunctionFault(f"{error.message}{hint}") from None

    return bcrypt


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
