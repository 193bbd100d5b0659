"""Texts with expressions in them (hcl/hclsyntax/spec.md, "Templates")."""

from typing import NamedTuple

from img.domain.bake.errors import BakeSyntaxError, SourceText, Span
from img.domain.bake.language.expressions import (
    Conditional,
    Expression,
    Literal,
)
from img.domain.bake.language.for_expressions import For
from img.domain.bake.language.parser import ExpressionParser
from img.domain.bake.language.templates import Joined, Template, Wrapped
from img.domain.bake.language.tokens import (
    Lexer,
    Token,
    unescape_plain,
    unescape_quoted,
)
from img.domain.bake.values.value import string
from img.domain.go.characters import SPACES


class _Text:
    """Literal text between interpolations."""

    __slots__ = ("span", "text")

    def __init__(self, text: str, span: Span) -> None:
        self.text = text
        self.span = span


class _Directive(NamedTuple):
    """``%{ keyword … }``."""

    keyword: str
    span: Span
    names: tuple[str | None, str] = (None, "")
    of: Expression | None = None


_Piece = _Text | _Directive | Expression


class DefinitionParser(ExpressionParser):
    """A parser of expressions with templates in them."""

    def text_template(self) -> Expression:
        opening = self.read()
        before = self.inside(lines=True)
        pieces = self._pieces("close", quoted=opening.kind == "open")
        closing = self.read()
        self.lines = before
        if opening.kind == "heredoc" and opening.text.startswith("<<-"):
            _cut_indent(pieces)
        return _assemble(pieces, opening.span.to(closing.span))

    def label(self) -> tuple[str, Span]:
        """Read a quoted label of a block: no template. Raises BakeSyntaxError."""
        opening = self.read()
        text = ""
        while self.peek().kind != "close":
            token = self.read()
            if token.kind != "text":
                raise BakeSyntaxError(
                    "Invalid string literal",
                    "Template sequences are not allowed in this string. To include a literal "
                    '"$", double it (as "$$") to escape it.',
                    token.span,
                )
            text += unescape_quoted(token)
        return text, opening.span.to(self.read().span)

    def whole_template(self, span: Span) -> Expression:
        """Read a text that is a template from its first to its last character."""
        return _assemble(self._pieces("end", quoted=False), span)

    def _pieces(self, closer: str, *, quoted: bool) -> list[_Piece]:
        pieces: list[_Piece] = []
        trim_next = False
        while self.peek().kind != closer:
            token = self.read()
            trim, trim_next = trim_next, False
            if token.kind == "text":
                text = unescape_quoted(token) if quoted else unescape_plain(token.text)
                pieces.append(_Text(text.lstrip(SPACES) if trim else text, token.span))
                continue
            last = pieces[-1] if pieces else None
            if token.text.endswith("~") and isinstance(last, _Text):
                last.text = last.text.rstrip(SPACES)
            before = self.inside()
            if token.kind == "interpolation":
                pieces.append(self.expression())
            else:
                pieces.append(self._directive(token))
            closing = self._closer(token)
            self.lines = before
            trim_next = closing.text.startswith("~")
        return pieces

    def _closer(self, opening: Token) -> Token:
        token = self.peek()
        if token.kind == "closer":
            # Not by read(): what follows is text, in which line breaks count.
            self.at += 1
            return token
        if opening.kind == "interpolation":
            raise BakeSyntaxError(
                "Extra characters after interpolation expression",
                "Expected a closing brace to end the interpolation expression, but found extra "
                "characters.\n\nThis can happen when you include interpolation syntax for another "
                "language, such as shell scripting, but forget to escape the interpolation start "
                "token. If this is an embedded sequence for another language, escape it by "
                'starting with "$${" instead of just "${".',
                token.span,
            )
        raise BakeSyntaxError(
            "Extra characters in template control sequence",
            "Expected a closing brace to end the template control sequence, but found extra "
            "characters.",
            token.span,
        )

    def _directive(self, opening: Token) -> _Directive:
        token = self.peek()
        if token.kind != "ident":
            raise BakeSyntaxError(
                "Invalid template directive",
                'A template directive keyword ("if", "for", etc) is expected at the beginning '
                "of a %{ sequence.",
                token.span,
            )
        self.read()
        match token.text:
            case "if":
                return _Directive("if", opening.span, of=self.expression())
            case "for":
                names, of = self.for_header()
                return _Directive("for", opening.span, names, of)
            case "else" | "endif" | "endfor":
                return _Directive(token.text, opening.span)
        raise BakeSyntaxError(
            "Invalid template control keyword",
            f'"{token.text}" is not a valid template control keyword.',
            token.span,
        )


def _cut_indent(pieces: list[_Piece]) -> None:
    """Cut the smallest indent of all lines off each of them (``<<-``)."""
    least: int | None = None
    starts: list[_Text] = []
    at_start = True
    for piece in pieces:
        if at_start:
            at_start = False
            spaces: int | None = 0
            if isinstance(piece, _Text):
                trimmed = piece.text.lstrip(SPACES)
                if not trimmed and piece.text.endswith("\n"):
                    spaces = None  # a blank line counts for nothing
                else:
                    spaces = len(piece.text) - len(trimmed)
                    starts.append(piece)
            if spaces is not None and (least is None or spaces < least):
                least = spaces
        if isinstance(piece, _Text) and piece.text.endswith("\n"):
            at_start = True
    for piece in starts:
        piece.text = piece.text[least or 0 :]


class _Assembler:
    """A builder of expressions from pieces; directives nest."""

    def __init__(self, pieces: list[_Piece], span: Span) -> None:
        self._pieces = pieces
        self._span = span
        self._at = 0

    def until(self, ends: tuple[str, ...]) -> tuple[list[Expression], _Directive | None]:
        """Return the parts up to a directive of ``ends``, and that one."""
        parts: list[Expression] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            if isinstance(piece, _Text):
                parts.append(Literal(piece.span, string(piece.text)))
            elif isinstance(piece, Expression):
                parts.append(piece)
            elif piece.keyword in ends:
                return parts, piece
            elif piece.keyword == "if":
                parts.append(self._if(piece))
            elif piece.keyword == "for":
                parts.append(self._for(piece))
            else:
                raise BakeSyntaxError(
                    f"Unexpected {piece.keyword} directive",
                    f"The {piece.keyword} directive does not belong to a directive before it.",
                    piece.span,
                )
        return parts, None

    def _if(self, opening: _Directive) -> Expression:
        yes, end = self.until(("else", "endif"))
        no: list[Expression] = []
        if end is not None and end.keyword == "else":
            no, end = self.until(("endif",))
        self._check_end(opening, end)
        assert opening.of is not None
        return Conditional(
            opening.of,
            _template(yes, opening.span),
            _template(no, opening.span),
            opening.span,
        )

    def _for(self, opening: _Directive) -> Expression:
        body, end = self.until(("endfor",))
        self._check_end(opening, end)
        assert opening.of is not None
        item = _template(body, opening.span)
        return Joined(
            For(
                opening.span,
                opening.span,
                opening.names,
                opening.of,
                None,
                item,
                None,
                group=False,
            )
        )

    def _check_end(self, opening: _Directive, end: _Directive | None) -> None:
        if end is None:
            raise BakeSyntaxError(
                "Unexpected end of template",
                f"The {opening.keyword} directive has no corresponding "
                f"end{opening.keyword} directive.",
                opening.span,
            )


def _template(parts: list[Expression], span: Span) -> Expression:
    return Template(span, parts or [Literal(span, string(""))])


def _assemble(pieces: list[_Piece], span: Span) -> Expression:
    if len(pieces) == 1 and isinstance(pieces[0], Expression):
        return Wrapped(span, pieces[0])
    parts, _ = _Assembler(pieces, span).until(())
    return _template(parts, span)


def parse_template(source: SourceText, text: str, span: Span) -> Expression:
    """Return the template that ``text`` is; it begins behind the start of ``span``.

    Raises BakeSyntaxError.
    """
    try:
        tokens = Lexer(source, text, span.start + 1).template()
        return DefinitionParser(tokens).whole_template(span)
    except RecursionError:
        raise too_deep(span) from None


def too_deep(span: Span) -> BakeSyntaxError:
    """Return the error for brackets in brackets without an end."""
    return BakeSyntaxError(
        "Expression too deep", "There are too many brackets in one another.", span
    )
