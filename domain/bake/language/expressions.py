"""Expressions and what they evaluate to (hcl/hclsyntax/spec.md, "Expressions")."""

from collections.abc import Iterable, Iterator
from functools import partial

from img.domain.bake.errors import BakeSyntaxError, Span
from img.domain.bake.language.access import get_attribute, get_index
from img.domain.bake.language.operators import binary, unary
from img.domain.bake.language.scope import Scope
from img.domain.bake.values.convert import BadConversion, convert, to_text, unify
from img.domain.bake.values.types import (
    BOOL,
    DYNAMIC,
    ListOf,
    ObjectOf,
    SetOf,
    TupleOf,
)
from img.domain.bake.values.value import Value, null, object_of, tuple_of

_ITEM = "*"  # no name of a variable


class Expression:
    """A part of a definition that has a value. ``start`` is where messages about it point."""

    __slots__ = ("span",)

    def __init__(self, span: Span) -> None:
        self.span = span

    @property
    def start(self) -> Span:
        return self.span

    def value(self, scope: Scope) -> Value:
        """Return the value in ``scope``. Raises BakeError."""
        raise NotImplementedError

    def parts(self) -> Iterable["Expression"]:
        """Return the expressions in this one, in the order of the text."""
        return ()

    def roots(self, hidden: frozenset[str] = frozenset()) -> Iterator["Variable"]:
        """Return the uses of variables that are not made inside of this expression."""
        for part in self.parts():
            yield from part.roots(hidden)

    def called(self) -> Iterator[str]:
        """Return the names of the functions that are called."""
        for part in self.parts():
            yield from part.called()


class Literal(Expression):
    """A number, a text, true, false, null."""

    __slots__ = ("constant",)

    def __init__(self, span: Span, constant: Value) -> None:
        super().__init__(span)
        self.constant = constant

    def value(self, scope: Scope) -> Value:
        return self.constant


class Variable(Expression):
    """A name, and attributes and indices with constant keys behind it."""

    __slots__ = ("name", "root", "steps")

    def __init__(self, span: Span, name: str) -> None:
        super().__init__(span)
        self.name = name
        self.root = span
        self.steps: list[tuple[str | None, Value | None, Span]] = []

    @property
    def start(self) -> Span:
        return self.root

    def value(self, scope: Scope) -> Value:
        found = scope.variable(self.name)
        if found is None:
            raise BakeSyntaxError(
                "Unknown variable", f'There is no variable named "{self.name}".', self.root
            )
        for name, key, span in self.steps:
            if name is not None:
                found = get_attribute(found, name, span)
            elif key is not None:
                found = get_index(found, key, span)
        return found

    def roots(self, hidden: frozenset[str] = frozenset()) -> Iterator["Variable"]:
        if self.name not in hidden:
            yield self


class Step(Expression):
    """An attribute (``.name``) or an index with a constant key of any expression."""

    __slots__ = ("key", "name", "of", "where")

    def __init__(self, of: Expression, name: str | None, key: Value | None, where: Span) -> None:
        super().__init__(of.span.to(where))
        self.of = of
        self.name = name
        self.key = key
        self.where = where

    @property
    def start(self) -> Span:
        return self.of.start

    def value(self, scope: Scope) -> Value:
        of = self.of.value(scope)
        if self.name is not None:
            return get_attribute(of, self.name, self.where)
        assert self.key is not None
        return get_index(of, self.key, self.where)

    def parts(self) -> Iterable[Expression]:
        return (self.of,)


class Index(Expression):
    """An index with a computed key."""

    __slots__ = ("key", "of", "where")

    def __init__(self, of: Expression, key: Expression, where: Span) -> None:
        super().__init__(of.span.to(where))
        self.of = of
        self.key = key
        self.where = where

    @property
    def start(self) -> Span:
        return self.of.start

    def value(self, scope: Scope) -> Value:
        return get_index(self.of.value(scope), self.key.value(scope), self.where)

    def parts(self) -> Iterable[Expression]:
        return (self.of, self.key)


class SplatItem(Expression):
    """The element that a splat is at."""

    __slots__ = ()

    def value(self, scope: Scope) -> Value:
        found = scope.variable(_ITEM)
        assert found is not None
        return found


class Splat(Expression):
    """``of[*]`` with all that is done to each element."""

    __slots__ = ("each", "of")

    def __init__(self, of: Expression, each: Expression, span: Span) -> None:
        super().__init__(span)
        self.of = of
        self.each = each

    @property
    def start(self) -> Span:
        return self.of.start

    def value(self, scope: Scope) -> Value:
        of = self.of.value(scope)
        single = not isinstance(of.type, ListOf | SetOf | TupleOf)
        if of.is_null:
            if single:
                return tuple_of(())
            raise BakeSyntaxError(
                "Splat of null value",
                "Splat expressions (with the * symbol) cannot be applied to null sequences.",
                self.of.span,
            )
        items = (of,) if single else of.items
        scope.budget.spend(len(items))
        found = [self.each.value(scope.child({_ITEM: item})) for item in items]
        if isinstance(of.type, ListOf | SetOf) and len({item.type for item in found}) <= 1:
            return Value(ListOf(found[0].type if found else DYNAMIC), tuple(found))
        return tuple_of(found)

    def parts(self) -> Iterable[Expression]:
        return (self.of, self.each)


class Tuple(Expression):
    """``[a, b]``."""

    __slots__ = ("elements", "opening")

    def __init__(self, span: Span, opening: Span, elements: list[Expression]) -> None:
        super().__init__(span)
        self.opening = opening
        self.elements = elements

    @property
    def start(self) -> Span:
        return self.opening

    def value(self, scope: Scope) -> Value:
        scope.budget.spend(len(self.elements))
        return tuple_of([element.value(scope) for element in self.elements])

    def parts(self) -> Iterable[Expression]:
        return self.elements


class Object(Expression):
    """``{key = value}``."""

    __slots__ = ("items", "opening")

    def __init__(
        self, span: Span, opening: Span, items: list[tuple[Expression, Expression]]
    ) -> None:
        super().__init__(span)
        self.opening = opening
        self.items = items

    @property
    def start(self) -> Span:
        return self.opening

    def value(self, scope: Scope) -> Value:
        scope.budget.spend(len(self.items))
        found = {}
        for key, item in self.items:
            name = key.value(scope)
            made = item.value(scope)
            if name.is_null:
                raise BakeSyntaxError(
                    "Null value as key", "Can't use a null value as a key.", item.span
                )
            try:
                found[to_text(name)] = made
            except BadConversion as error:
                raise BakeSyntaxError(
                    "Incorrect key type", f"Can't use this value as a key: {error}.", key.span
                ) from None
        return object_of(found)

    def parts(self) -> Iterable[Expression]:
        return [part for item in self.items for part in item]


class Parentheses(Expression):
    """``(e)``."""

    __slots__ = ("inner",)

    def __init__(self, span: Span, inner: Expression) -> None:
        super().__init__(span)
        self.inner = inner

    def value(self, scope: Scope) -> Value:
        return self.inner.value(scope)

    def parts(self) -> Iterable[Expression]:
        return (self.inner,)


class Unary(Expression):
    """``-e`` or ``!e``."""

    __slots__ = ("operand", "operator")

    def __init__(self, span: Span, operator: str, operand: Expression) -> None:
        super().__init__(span)
        self.operator = operator
        self.operand = operand

    def value(self, scope: Scope) -> Value:
        return unary(self.operator, self.operand.value(scope), self.operand.span, self.span)

    def parts(self) -> Iterable[Expression]:
        return (self.operand,)


class Binary(Expression):
    """Operands with operators of one precedence between them, from left to right."""

    __slots__ = ("first", "rest")

    def __init__(self, first: Expression, rest: list[tuple[str, Expression]]) -> None:
        super().__init__(first.span.to(rest[-1][1].span))
        self.first = first
        self.rest = rest

    @property
    def start(self) -> Span:
        return self.first.start

    def value(self, scope: Scope) -> Value:
        result, span = self.first.value(scope), self.first.span
        for operator, operand in self.rest:
            result = binary(operator, result, partial(operand.value, scope), span, operand.span)
            span = span.to(operand.span)
        return result

    def parts(self) -> Iterable[Expression]:
        return (self.first, *(operand for _, operand in self.rest))


class Conditional(Expression):
    """``condition ? yes : no``."""

    __slots__ = ("condition", "no", "yes")

    def __init__(self, condition: Expression, yes: Expression, no: Expression, span: Span) -> None:
        super().__init__(span)
        self.condition = condition
        self.yes = yes
        self.no = no

    @property
    def start(self) -> Span:
        return self.condition.start

    def value(self, scope: Scope) -> Value:
        truth = self._truth(scope)
        chosen, other = (self.yes, self.no) if truth else (self.no, self.yes)
        result = chosen.value(scope)
        try:
            type_of_other = other.value(scope)
        except BakeSyntaxError:
            # Faults of what is not taken do not count (spec.md, "Conditional Operator").
            return result
        if result.type == type_of_other.type:
            return result
        if DYNAMIC in (result.type, type_of_other.type):
            if result.is_null and result.type is DYNAMIC:
                return null(type_of_other.type)
            return result
        common = unify([result.type, type_of_other.type])
        if common is None:
            yes, no = (result, type_of_other) if truth else (type_of_other, result)
            self._refuse_types(yes, no)
            return result
        return convert(result, common)

    def _refuse_types(self, yes: Value, no: Value) -> None:
        # Tuples and objects with different parts are kept unchanged.
        for kind in (TupleOf, ObjectOf):
            if isinstance(yes.type, kind) and isinstance(no.type, kind):
                return
        raise BakeSyntaxError(
            "Inconsistent conditional result types",
            "The true and false result expressions must have consistent types. The 'true' value "
            f"is {yes.type.friendly}, but the 'false' value is {no.type.friendly}.",
            self.yes.span.to(self.no.span),
        )

    def _truth(self, scope: Scope) -> bool:
        condition = self.condition.value(scope)
        if condition.is_null:
            raise BakeSyntaxError(
                "Null condition",
                "The condition value is null. Conditions must either be true or false.",
                self.condition.span,
            )
        try:
            return convert(condition, BOOL).truth
        except BadConversion:
            raise BakeSyntaxError(
                "Incorrect condition type",
                "The condition expression must be of type bool.",
                self.condition.span,
            ) from None

    def parts(self) -> Iterable[Expression]:
        return (self.condition, self.yes, self.no)


def as_key(value: Value, span: Span, what: str) -> str:
    """Return the key that a ``for`` expression makes. Raises BakeSyntaxError."""
    if value.is_null:
        raise BakeSyntaxError("Invalid object key", f"{what} must not produce a null value.", span)
    try:
        return to_text(value)
    except BadConversion as error:
        raise BakeSyntaxError(
            "Invalid object key", f"The key expression produced an invalid result: {error}.", span
        ) from None
