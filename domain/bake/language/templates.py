"""Texts with expressions in them (hcl/hclsyntax/spec.md, "Template Expressions")."""

from collections.abc import Iterable

from img.domain.bake.errors import BakeSyntaxError, Span
from img.domain.bake.language.expressions import Expression
from img.domain.bake.language.scope import Scope
from img.domain.bake.values.convert import BadConversion, convert
from img.domain.bake.values.types import STRING
from img.domain.bake.values.value import Value, string


def as_text(value: Value, span: Span) -> str:
    """Return the text of an interpolated value. Raises BakeSyntaxError."""
    if value.is_null:
        raise BakeSyntaxError(
            "Invalid template interpolation value",
            "The expression result is null. Cannot include a null value in a string template.",
            span,
        )
    try:
        return convert(value, STRING).text
    except BadConversion as error:
        raise BakeSyntaxError(
            "Invalid template interpolation value",
            f"Cannot include the given value in a string template: {error}.",
            span,
        ) from None


class Template(Expression):
    """Texts and expressions that make one text."""

    __slots__ = ("pieces",)

    def __init__(self, span: Span, pieces: list[Expression]) -> None:
        super().__init__(span)
        self.pieces = pieces

    @property
    def start(self) -> Span:
        return self.pieces[0].start

    def value(self, scope: Scope) -> Value:
        found = [as_text(piece.value(scope), piece.span) for piece in self.pieces]
        text = "".join(found)
        scope.budget.spend(len(found) + len(text) // 64)
        return string(text)

    def parts(self) -> Iterable[Expression]:
        return self.pieces


class Wrapped(Expression):
    """A text that is one interpolation and nothing else; it keeps the type."""

    __slots__ = ("inner",)

    def __init__(self, span: Span, inner: Expression) -> None:
        super().__init__(span)
        self.inner = inner

    def value(self, scope: Scope) -> Value:
        return self.inner.value(scope)

    def parts(self) -> Iterable[Expression]:
        return (self.inner,)


class Joined(Expression):
    """A text made of the results of ``%{for}``."""

    __slots__ = ("inner",)

    def __init__(self, inner: Expression) -> None:
        super().__init__(inner.span)
        self.inner = inner

    def value(self, scope: Scope) -> Value:
        text = "".join(as_text(item, self.span) for item in self.inner.value(scope).items)
        scope.budget.spend(len(text) // 64)
        return string(text)

    def parts(self) -> Iterable[Expression]:
        return (self.inner,)
