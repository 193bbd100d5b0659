"""Types as definitions write them (hcl/ext/typeexpr)."""

from typing import NoReturn

from img.domain.bake.errors import BakeSyntaxError, Span
from img.domain.bake.language.calls import Call
from img.domain.bake.language.expressions import Expression, Literal, Object, Tuple, Variable
from img.domain.bake.language.json_values import JsonText
from img.domain.bake.language.template_parser import DefinitionParser, too_deep
from img.domain.bake.language.tokens import Lexer
from img.domain.bake.values.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListOf,
    MapOf,
    ObjectOf,
    SetOf,
    TupleOf,
    Type,
)

_KEYWORDS = {"string": STRING, "number": NUMBER, "bool": BOOL, "any": DYNAMIC}
_COLLECTIONS = {"list": ListOf, "set": SetOf, "map": MapOf}
_NEEDS = {
    "list": "one argument specifying the element type",
    "set": "one argument specifying the element type",
    "map": "one argument specifying the element type",
    "tuple": "one argument specifying the element types as a list",
    "object": "one argument specifying the attribute types and values as a map",
}


def static(expression: Expression) -> Expression:
    """Return an expression that is read and not evaluated; in JSON it is a string."""
    if not isinstance(expression, JsonText):
        return expression
    span = expression.span
    try:
        tokens = Lexer(span.source, expression.text, span.start + 1).body()
        return DefinitionParser(tokens).expression()
    except RecursionError:
        raise too_deep(span) from None


def parse_type(expression: Expression) -> Type:
    """Return the type that an expression means. Raises BakeSyntaxError."""
    expression = static(expression)
    if isinstance(expression, Variable) and not expression.steps:
        if expression.name in _KEYWORDS:
            return _KEYWORDS[expression.name]
        if expression.name in _NEEDS:
            _refuse_arguments(expression.name, expression.span)
        _fail(
            f'The keyword "{expression.name}" is not a valid type specification.',
            expression.span,
        )
    if isinstance(expression, Call):
        return _constructed(expression)
    _fail(
        "A type specification is either a primitive type keyword (bool, number, string) or a "
        "complex type constructor call, like list(string).",
        expression.span,
    )
    return None


def _constructed(call: Call) -> Type:
    if call.name in _KEYWORDS:
        _fail(f'Primitive type keyword "{call.name}" does not expect arguments.', call.span)
    if call.name not in _NEEDS:
        _fail(f'Keyword "{call.name}" is not a valid type constructor.', call.span)
    if len(call.arguments) != 1:
        _refuse_arguments(call.name, call.arguments[1].span if call.arguments else call.span)
    inside = call.arguments[0]
    if call.name in _COLLECTIONS:
        return _COLLECTIONS[call.name](parse_type(inside))
    if call.name == "tuple":
        if not isinstance(inside, Tuple):
            _fail("Tuple type constructor requires a list of element types.", inside.span)
        return TupleOf(tuple(map(parse_type, inside.elements)))
    if not isinstance(inside, Object):
        _fail(
            "Object type constructor requires a map whose keys are attribute names and whose "
            "values are the corresponding attribute types.",
            inside.span,
        )
    return _object(inside)


def _object(inside: Object) -> Type:
    attributes: dict[str, Type] = {}
    for key, item in inside.items:
        if not isinstance(key, Literal) or not isinstance(key.constant.raw, str):
            _fail("Object constructor map keys must be attribute names.", key.span)
        if key.constant.text in attributes:
            _fail("Object constructor map keys must be unique.", key.span)
        attributes[key.constant.text] = parse_type(item)
    return ObjectOf(attributes)


def _refuse_arguments(name: str, span: Span) -> NoReturn:
    _fail(f"The {name} type constructor requires {_NEEDS[name]}.", span)


def _fail(detail: str, span: Span) -> NoReturn:
    raise BakeSyntaxError("Invalid type specification", detail, span)
