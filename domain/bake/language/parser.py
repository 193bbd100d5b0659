"""Tokens to expressions (hcl/hclsyntax/spec.md, "Expressions")."""

from img.domain.bake.errors import Span
from img.domain.bake.language.calls import Call
from img.domain.bake.language.collection_parser import CollectionParser
from img.domain.bake.language.expressions import (
    Binary,
    Conditional,
    Expression,
    Index,
    Literal,
    Parentheses,
    Splat,
    SplatItem,
    Step,
    Unary,
    Variable,
)
from img.domain.bake.language.operators import PRECEDENCE
from img.domain.bake.language.templates import Template
from img.domain.bake.language.tokens import Token
from img.domain.bake.values.numbers import BadNumber, Number
from img.domain.bake.values.types import NUMBER
from img.domain.bake.values.value import FALSE, NULL, TRUE, Value

_KEYWORDS = {"true": TRUE, "false": FALSE, "null": NULL}
_LEVELS = {operator: level for level, row in enumerate(PRECEDENCE) for operator in row}


class ExpressionParser(CollectionParser):
    """A parser of expressions. All methods raise BakeSyntaxError."""

    def expression(self) -> Expression:
        """Read a whole expression."""
        condition = self._binary(0)
        if self.peek().kind != "?":
            return condition
        self.read()
        yes = self.expression()
        if self.peek().kind != ":":
            self._fail(
                "Missing false expression in conditional",
                "The conditional operator (...?...:...) requires a false expression, delimited "
                "by a colon.",
            )
        self.read()
        no = self.expression()
        return Conditional(condition, yes, no, condition.span.to(no.span))

    def _binary(self, least: int) -> Expression:
        """Read operands of operators that bind at least as tightly as the level ``least``."""
        first = self._with_steps()
        while (level := _LEVELS.get(self.peek().kind, -1)) >= least:
            rest: list[tuple[str, Expression]] = []
            while _LEVELS.get(self.peek().kind) == level:
                operator = self.read().kind
                rest.append((operator, self._binary(level + 1)))
            first = Binary(first, rest)
        return first

    def _with_steps(self) -> Expression:
        return self._steps(self._term())

    def _steps(self, of: Expression) -> Expression:
        while True:
            kind = self.peek().kind
            if kind == ".":
                of = self._dot(of)
            elif kind == "[":
                of = self._bracket(of)
            else:
                return of

    def _dot(self, of: Expression) -> Expression:
        dot = self.read()
        token = self.peek()
        if token.kind == "ident":
            self.read()
            return _step(of, token.text, None, dot.span.to(token.span))
        if token.kind == "number":
            self.read()
            return self._legacy_index(of, dot, token)
        if token.kind == "*":
            self.read()
            item: Expression = SplatItem(of.span)
            while self.peek().kind == "." and self.tokens[self.at + 1].kind in ("ident", "number"):
                item = self._dot(item)
            return Splat(of, item, of.span.to(token.span))
        self._fail("Invalid attribute name", "An attribute name is required after a dot.")
        return None

    def _legacy_index(self, of: Expression, dot: Token, token: Token) -> Expression:
        # a.0.1 is one number to the lexer.
        for digits in token.text.split("."):
            if not (digits.isascii() and digits.isdigit()):
                self._fail(
                    "Invalid legacy index syntax",
                    "An index in the legacy syntax is a whole number behind a dot.",
                    token.span,
                )
            of = _step(of, None, Value(NUMBER, Number.parse(digits)), dot.span.to(token.span))
        return of

    def _bracket(self, of: Expression) -> Expression:
        opening = self.read()
        before = self.inside()
        if self.peek().kind == "*" and self._next_is_closing():
            self.read()
            closing = self.read()
            self.lines = before
            each = self._steps(SplatItem(of.span))
            return Splat(of, each, of.span.to(closing.span))
        key = self.expression()
        if self.peek().kind != "]":
            self._fail(
                "Missing close bracket on index",
                'The index operator must end with a closing bracket ("]").',
            )
        closing = self.read()
        self.lines = before
        where = opening.span.to(closing.span)
        constant = _constant(key)
        return _step(of, None, constant, where) if constant else Index(of, key, where)

    def _next_is_closing(self) -> bool:
        at = self.at + 1
        while self.tokens[at].kind == "newline":
            at += 1
        return self.tokens[at].kind == "]"

    def _term(self) -> Expression:
        token = self.peek()
        match token.kind:
            case "(":
                return self._parentheses()
            case "number":
                self.read()
                return Literal(token.span, self._number(token))
            case "ident":
                return self._name()
            case "open" | "heredoc":
                return self.text_template()
            case "-" | "!":
                self.read()
                operand = self._with_steps()
                return Unary(token.span.to(operand.span), token.kind, operand)
            case "[":
                return self._for("]") if self._is_for() else self._tuple()
            case "{":
                return self._for("}") if self._is_for() else self._object()
        if token.kind == "end":
            self._fail(
                "Missing expression",
                "Expected the start of an expression, but found the end of the file.",
            )
        self._fail(
            "Invalid expression",
            "Expected the start of an expression, but found an invalid expression token.",
        )
        return None

    def text_template(self) -> Expression:
        """Read a text in quotes, or a heredoc."""
        raise NotImplementedError

    def _number(self, token: Token) -> Value:
        try:
            return Value(NUMBER, Number.parse(token.text))
        except BadNumber:
            self._fail(
                "Invalid number literal",
                "Failed to recognize the value of this number literal.",
                token.span,
            )

    def _parentheses(self) -> Expression:
        opening = self.read()
        before = self.inside()
        inner = self.expression()
        if self.peek().kind != ")":
            self._fail(
                "Unbalanced parentheses",
                "Expected a closing parenthesis to terminate the expression.",
            )
        closing = self.read()
        self.lines = before
        return Parentheses(opening.span.to(closing.span), inner)

    def _name(self) -> Expression:
        token = self.read()
        name = token.text
        span = token.span
        while self.peek().kind == "::":
            self.read()
            if self.peek().kind != "ident":
                self._fail(
                    "Missing function name", "A function name is required after the namespace."
                )
            part = self.read()
            name, span = f"{name}::{part.text}", span.to(part.span)
            if self.peek().kind not in ("::", "("):
                self._fail(
                    "Missing open parenthesis",
                    "Function selector must be followed by an open parenthesis to begin the "
                    "function call.",
                )
        if self.peek().kind == "(":
            return self._call(name, span)
        if name in _KEYWORDS:
            return Literal(span, _KEYWORDS[name])
        return Variable(span, name)

    def _call(self, name: str, span: Span) -> Expression:
        opening = self.read()
        before = self.inside()
        arguments: list[Expression] = []
        expand = False
        while self.peek().kind != ")":
            arguments.append(self.expression())
            kind = self.peek().kind
            if kind == "...":
                self.read()
                expand = True
                if self.peek().kind == ",":
                    self.read()
                if self.peek().kind != ")":
                    self._fail(
                        "Missing closing parenthesis",
                        "An expanded function argument (with ...) must be immediately followed by "
                        "closing parentheses.",
                    )
            elif kind == ",":
                self.read()
            elif kind != ")":
                self._fail(
                    "Missing argument separator",
                    "A comma is required to separate each function argument from the next.",
                )
        closing = self.read()
        self.lines = before
        return Call(name, span, opening.span, arguments, closing.span, expand=expand)


def _step(of: Expression, name: str | None, key: Value | None, where: Span) -> Expression:
    """Return ``of`` with a step behind it; names keep theirs, as references look at them."""
    if isinstance(of, Variable):
        of.steps.append((name, key, where))
        of.span = of.span.to(where)
        return of
    return Step(of, name, key, where)


def _constant(key: Expression) -> Value | None:
    if isinstance(key, Template) and len(key.pieces) == 1:
        key = key.pieces[0]
    if isinstance(key, Literal) and key.constant.raw is not None:
        return key.constant
    return None
