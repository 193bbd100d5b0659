"""``for`` expressions (hcl/hclsyntax/spec.md, "For Expressions")."""

from collections.abc import Iterable, Iterator

from img.domain.bake.errors import BakeSyntaxError, Span
from img.domain.bake.language.expressions import Expression, Variable, as_key
from img.domain.bake.language.scope import Scope
from img.domain.bake.values.convert import BadConversion, convert
from img.domain.bake.values.types import BOOL, Primitive
from img.domain.bake.values.value import Value, object_of, tuple_of


class For(Expression):
    """``[for k, v in of : item if condition]``, with ``key =>`` in braces."""

    __slots__ = ("condition", "group", "item", "key", "key_name", "name", "of", "opening")

    def __init__(
        self,
        span: Span,
        opening: Span,
        names: tuple[str | None, str],
        of: Expression,
        key: Expression | None,
        item: Expression,
        condition: Expression | None,
        *,
        group: bool,
    ) -> None:
        super().__init__(span)
        self.opening = opening
        self.key_name, self.name = names
        self.of = of
        self.key = key
        self.item = item
        self.condition = condition
        self.group = group

    @property
    def start(self) -> Span:
        return self.opening

    def value(self, scope: Scope) -> Value:
        made: list[Value] = []
        named: dict[str, list[Value]] = {}
        for inner in self._scopes(scope):
            if self.key is None:
                made.append(self.item.value(inner))
                continue
            key = as_key(self.key.value(inner), self.key.span, "Key expression in 'for' expression")
            if key in named and not self.group:
                raise BakeSyntaxError(
                    "Duplicate object key",
                    f"Two different items produced the key \"{key}\" in this 'for' expression. If "
                    "duplicates are expected, use the ellipsis (...) after the value expression to "
                    "enable grouping by key.",
                    self.item.span,
                )
            named.setdefault(key, []).append(self.item.value(inner))
        if self.key is None:
            return tuple_of(made)
        if self.group:
            return object_of({key: tuple_of(items) for key, items in named.items()})
        return object_of({key: items[0] for key, items in named.items()})

    def _scopes(self, scope: Scope) -> Iterator[Scope]:
        of = self.of.value(scope)
        if of.is_null:
            raise BakeSyntaxError(
                "Iteration over null value",
                "A null value cannot be used as the collection in a 'for' expression.",
                self.of.span,
            )
        if isinstance(of.type, Primitive):
            raise BakeSyntaxError(
                "Iteration over non-iterable value",
                f"A value of type {of.type.friendly} cannot be used as the collection in a 'for' "
                "expression.",
                self.of.span,
            )
        for key, item in of.pairs():
            scope.budget.spend(2)
            names = {self.name: item}
            if self.key_name is not None:
                names = {self.key_name: key, self.name: item}
            inner = scope.child(names)
            if self.condition is None or self._taken(self.condition, inner):
                yield inner

    def _taken(self, condition: Expression, scope: Scope) -> bool:
        value = condition.value(scope)
        if value.is_null:
            raise BakeSyntaxError(
                "Condition is null",
                "The value of the 'if' clause must not be null.",
                condition.span,
            )
        try:
            return convert(value, BOOL).truth
        except BadConversion as error:
            raise BakeSyntaxError(
                "Invalid 'for' condition",
                f"The 'if' clause value is invalid: {error}.",
                condition.span,
            ) from None

    def parts(self) -> Iterable[Expression]:
        inner = (self.key, self.item, self.condition)
        return (self.of, *(part for part in inner if part is not None))

    def roots(self, hidden: frozenset[str] = frozenset()) -> Iterator[Variable]:
        yield from self.of.roots(hidden)
        inside = hidden | {self.name} | ({self.key_name} if self.key_name else set())
        for part in (self.key, self.item, self.condition):
            if part is not None:
                yield from part.roots(inside)
