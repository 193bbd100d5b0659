"""Tokens to tuples, objects and for expressions (hcl/hclsyntax/spec.md, "Expressions")."""

from typing import NoReturn

from img.domain.bake.errors import BakeSyntaxError, Span
from img.domain.bake.language.expressions import Expression, Literal, Object, Tuple
from img.domain.bake.language.for_expressions import For
from img.domain.bake.language.token_reader import TokenReader
from img.domain.bake.values.value import string


class CollectionParser(TokenReader):
    """A parser of what is in ``[]`` and ``{}``. All methods raise BakeSyntaxError."""

    def expression(self) -> Expression:
        """Read a whole expression."""
        raise NotImplementedError

    def inside(self, *, lines: bool = False) -> bool:
        """Enter brackets; the answer is to be given back to ``lines`` behind them."""
        before, self.lines = self.lines, lines
        return before

    def _fail(self, summary: str, detail: str, span: Span | None = None) -> NoReturn:
        raise BakeSyntaxError(summary, detail, span or self.peek().span)

    def _is_for(self) -> bool:
        at = self.at + 1
        while self.tokens[at].kind == "newline":
            at += 1
        return self.tokens[at].kind == "ident" and self.tokens[at].text == "for"

    def _tuple(self) -> Expression:
        opening = self.read()
        before = self.inside()
        elements: list[Expression] = []
        while self.peek().kind != "]":
            elements.append(self.expression())
            if self.peek().kind == ",":
                self.read()
            elif self.peek().kind != "]":
                self._fail(
                    "Missing item separator",
                    "Expected a comma to mark the beginning of the next item.",
                )
        closing = self.read()
        self.lines = before
        return Tuple(opening.span.to(closing.span), opening.span, elements)

    def _object(self) -> Expression:
        opening = self.read()
        before = self.inside(lines=True)
        items: list[tuple[Expression, Expression]] = []
        while True:
            while self.peek().kind == "newline":
                self.read()
            if self.peek().kind == "}":
                break
            items.append(self._object_item())
            token = self.peek()
            if token.kind in (",", "newline"):
                self.read()
            elif token.kind != "}":
                self._fail(
                    "Missing attribute separator",
                    "Expected a newline or comma to mark the beginning of the next attribute.",
                )
        closing = self.read()
        self.lines = before
        return Object(opening.span.to(closing.span), opening.span, items)

    def _object_item(self) -> tuple[Expression, Expression]:
        start = self.peek()
        key = self.expression()
        if start.kind == "ident" and self.tokens[self.at - 1] is start:
            key = Literal(start.span, string(start.text))
        token = self.peek()
        if token.kind not in ("=", ":"):
            if token.kind in ("newline", "end"):
                self._fail(
                    "Missing attribute value",
                    'Expected an attribute value, introduced by an equals sign ("=").',
                )
            self._fail(
                "Missing key/value separator",
                'Expected an equals sign ("=") to mark the beginning of the attribute value.',
            )
        self.read()
        return key, self.expression()

    def for_header(self) -> tuple[tuple[str | None, str], Expression]:
        """Read ``k, v in of`` behind ``for``."""
        names = [self._for_name("for")]
        if self.peek().kind == ",":
            self.read()
            names.append(self._for_name(","))
        token = self.peek()
        if token.kind != "ident" or token.text != "in":
            self._fail(
                "Invalid 'for' expression",
                "For expression requires the 'in' keyword after its name declarations.",
            )
        self.read()
        of = self.expression()
        return (names[0] if len(names) > 1 else None, names[-1]), of

    def _for_name(self, behind: str) -> str:
        if self.peek().kind != "ident":
            self._fail(
                "Invalid 'for' expression",
                "For expression requires "
                + (
                    "variable name after 'for'."
                    if behind == "for"
                    else "value variable name after comma."
                ),
            )
        return self.read().text

    def _for(self, closer: str) -> Expression:
        opening = self.read()
        before = self.inside()
        self.read()
        names, of = self.for_header()
        if self.peek().kind != ":":
            self._fail(
                "Invalid 'for' expression",
                "For expression requires a colon after the collection expression.",
            )
        self.read()
        item = self.expression()
        key = None
        if self.peek().kind == "=>":
            if closer == "]":
                self._fail(
                    "Invalid 'for' expression",
                    "Key expression is not valid when building a tuple.",
                    item.span,
                )
            self.read()
            key, item = item, self.expression()
        elif closer == "}":
            self._fail(
                "Invalid 'for' expression",
                "Key expression is required when building an object.",
            )
        group = self.peek().kind == "..."
        if group:
            ellipsis = self.read()
            if key is None:
                self._fail(
                    "Invalid 'for' expression",
                    "Grouping ellipsis (...) cannot be used when building a tuple.",
                    ellipsis.span,
                )
        condition = None
        if self.peek().kind == "ident" and self.peek().text == "if":
            self.read()
            condition = self.expression()
        if self.peek().kind != closer:
            self._fail(
                "Invalid 'for' expression",
                "Extra characters after the end of the 'for' expression.",
            )
        closing = self.read()
        self.lines = before
        span = opening.span.to(closing.span)
        return For(span, opening.span, names, of, key, item, condition, group=group)
