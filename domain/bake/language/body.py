"""Attributes and blocks (hcl/hclsyntax/spec.md, "Structural Elements")."""

from collections.abc import Iterator
from typing import NoReturn

from img.domain.bake.errors import BakeSyntaxError, SourceText, Span
from img.domain.bake.language.expressions import Expression
from img.domain.bake.language.template_parser import DefinitionParser, too_deep
from img.domain.bake.language.tokens import Lexer

_NO_BRACE = (
    "A single-line block definition must end with a closing brace immediately after its single "
    "argument definition."
)
_ONE_LINE = {
    ",": "Single-line block syntax can include only one argument definition. To define multiple "
    "arguments, use the multi-line block syntax with one argument definition per line.",
    "newline": "An argument definition on the same line as its containing block creates a "
    "single-line block definition, which must also be closed on the same line. Place the block's "
    "closing brace immediately after the argument definition.",
}
"""What follows an argument on the line of its block, in place of the brace."""


class Attribute:
    """``name = expression``."""

    __slots__ = ("expression", "name", "name_span")

    def __init__(self, name: str, name_span: Span, expression: Expression) -> None:
        self.name = name
        self.name_span = name_span
        self.expression = expression


class Block:
    """``kind "label" { … }``."""

    __slots__ = ("body", "kind", "labels", "opening")

    def __init__(
        self, kind: str, labels: list[tuple[str, Span]], body: "Body", opening: Span
    ) -> None:
        self.kind = kind
        self.labels = labels
        self.body = body
        self.opening = opening  # the brace


class Body:
    """The content of a file or of a block; ``missing`` is where lacking attributes are said."""

    def __init__(self, source: SourceText, missing: Span) -> None:
        self.source = source
        self.missing = missing
        self.attributes: dict[str, Attribute] = {}
        self._blocks: list[Block] = []

    def add_block(self, block: Block) -> None:
        self._blocks.append(block)

    def blocks(self, kind: str, labels: int) -> Iterator[Block]:
        """Return the blocks of a kind, with their labels checked. Raises BakeSyntaxError."""
        for block in self._blocks:
            if block.kind == kind:
                _check_labels(block, labels)
                yield block


def _check_labels(block: Block, count: int) -> None:
    if len(block.labels) < count:
        raise BakeSyntaxError(
            f"Missing name for {block.kind}",
            f"All {block.kind} blocks must have {count} labels (name).",
            block.opening,
        )
    if len(block.labels) > count:
        raise BakeSyntaxError(
            f"Extraneous label for {block.kind}",
            f"Only {count} labels (name) are expected for {block.kind} blocks."
            if count
            else f"No labels are expected for {block.kind} blocks.",
            block.labels[count][1],
        )


def parse_hcl(source: SourceText) -> Body:
    """Return the content of an HCL file. Raises BakeSyntaxError."""
    whole = Span(source, 0, 0)
    try:
        return _BodyParser(Lexer(source, source.text).body()).body(source, whole, "end")
    except RecursionError:
        raise too_deep(whole) from None


class _BodyParser(DefinitionParser):
    def body(self, source: SourceText, opening: Span, closer: str) -> Body:
        """Read attributes and blocks up to ``closer``."""
        body = Body(source, Span(source, opening.start, opening.start))
        while self.peek().kind != closer:
            token = self.peek()
            if token.kind == "newline":
                self.read()
            elif token.kind == "ident":
                self._item(body)
            elif token.kind == "end":
                self._unclosed(opening)
            elif token.kind == "open":
                self._fail("Invalid argument name", "Argument names must not be quoted.")
            else:
                self._fail(
                    "Argument or block definition required",
                    "An argument or block definition is required here.",
                )
        self.read()
        return body

    def _unclosed(self, opening: Span) -> NoReturn:
        self._fail(
            "Unclosed configuration block",
            "There is no closing brace for this block before the end of the file. This may be "
            "caused by incorrect brace nesting elsewhere in this file.",
            Span(opening.source, opening.start, opening.start + 1),
        )

    def _item(self, body: Body) -> None:
        name = self.read()
        following = self.peek().kind
        if following == "=":
            self._attribute(body, name.text, name.span)
            if self.peek().kind not in ("newline", "end"):
                self._fail(
                    "Missing newline after argument",
                    "An argument definition must end with a newline.",
                )
        elif following in ("open", "{", "ident"):
            self._block(body, name.text)
        else:
            self._fail(
                "Argument or block definition required",
                "An argument or block definition is required here. To set an argument, use the "
                'equals sign "=" to introduce the argument value.',
                name.span,
            )

    def _attribute(self, body: Body, name: str, span: Span) -> None:
        self.read()
        expression = self.expression()
        if name in body.attributes:
            self._fail(
                "Attribute redefined",
                f'The argument "{name}" was already set at {body.attributes[name].name_span}. '
                "Each argument may be set only once.",
                span,
            )
        body.attributes[name] = Attribute(name, span, expression)

    def _block(self, body: Body, kind: str) -> None:
        labels: list[tuple[str, Span]] = []
        while self.peek().kind != "{":
            token = self.peek()
            if token.kind == "open":
                labels.append(self.label())
            elif token.kind == "ident":
                labels.append((token.text, self.read().span))
            elif token.kind == "=":
                self._fail(
                    "Invalid block definition",
                    'The equals sign "=" indicates an argument definition, and must not be used '
                    "when defining a block.",
                )
            elif token.kind == "newline":
                self._fail(
                    "Invalid block definition",
                    'A block definition must have block content delimited by "{" and "}", starting '
                    "on the same line as the block header.",
                )
            else:
                self._fail(
                    "Invalid block definition",
                    'Either a quoted string block label or an opening brace ("{") is expected '
                    "here.",
                )
        opening = self.read().span
        if self.peek().kind in ("newline", "end", "}"):
            inner = self.body(body.source, opening, "}")
        else:
            inner = self._one_line(body.source, opening)
        if self.peek().kind not in ("newline", "end"):
            self._fail(
                "Missing newline after block definition",
                "A block definition must end with a newline.",
            )
        body.add_block(Block(kind, labels, inner, opening))

    def _one_line(self, source: SourceText, opening: Span) -> Body:
        body = Body(source, Span(source, opening.start, opening.start))
        if self.peek().kind != "ident":
            self._fail(
                "Argument or block definition required",
                "An argument or block definition is required here.",
            )
        name = self.read()
        if self.peek().kind != "=":
            if self.peek().kind in ("open", "{", "ident"):
                self._fail(
                    "Invalid single-argument block definition",
                    "A single-line block definition can contain only a single argument. If you "
                    "want to define multiple arguments, use an equals sign for each, on lines of "
                    "their own.",
                )
            self._fail(
                "Argument or block definition required",
                'An argument definition must have an equals sign "=".',
                name.span,
            )
        self._attribute(body, name.text, name.span)
        if self.peek().kind == "end":
            self._unclosed(opening)
        if self.peek().kind != "}":
            self._fail(
                "Invalid single-argument block definition",
                _ONE_LINE.get(self.peek().kind, _NO_BRACE),
            )
        self.read()
        return body
