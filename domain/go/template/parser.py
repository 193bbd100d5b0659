"""The parser of templates (text/template/parse, parse.go)."""

import re
from collections.abc import Sequence

from img.domain.go.template.functions import FUNCTIONS
from img.domain.go.template.lexer import Literal, Piece, Token, pieces_of
from img.domain.go.template.nodes import (
    Branch,
    Call,
    Chain,
    Constant,
    Dot,
    Jump,
    Node,
    Operand,
    Pipeline,
    Text,
    Variable,
)
from img.domain.go.template.values import TemplateError

_DEEPEST = 50  # nested branches and parentheses
_BRANCHES = frozenset({"if", "with", "range"})
_CONSTANTS = {"true": True, "false": False, "nil": None}
_UNSUPPORTED = frozenset({"define", "template", "block"})
_LARGEST = 2**63 - 1
_LONGEST_NUMBER = 64  # characters
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL
)
_ESCAPED = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", '"': '"', "'": "'",
}  # fmt: skip


def parse(template: str) -> tuple[Node, ...]:
    """Return the tree of ``template``. Raises TemplateError."""
    reader = _Reader(list(pieces_of(template)))
    nodes, end = reader.nodes(depth=0, in_range=False)
    if end:
        raise TemplateError(f"unexpected {{{{{end[0].text}}}}}")
    return nodes


class _Reader:
    """A parser of the pieces of a template."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._at = 0
        self._variables = ["$"]  # in scope

    def nodes(self, *, depth: int, in_range: bool) -> tuple[tuple[Node, ...], tuple[Token, ...]]:
        """Return the nodes up to ``end`` or ``else``, and that action's tokens; () at the end."""
        if depth > _DEEPEST:
            raise TemplateError(f"more than {_DEEPEST} branches in one another")
        found: list[Node] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            if isinstance(piece, Literal):
                found.append(Text(piece.text))
                continue
            word = piece[0].text if piece and piece[0].kind == "word" else ""
            if word in ("end", "else"):
                return tuple(found), piece
            if word in ("break", "continue") and len(piece) == 1 and in_range:
                found.append(Jump(word))
            elif word in _BRANCHES:
                found.append(self._branch(piece, depth, in_range or word == "range"))
            elif word in _UNSUPPORTED:
                raise TemplateError(f"{{{{{word}}}}} is not supported")
            else:
                found.append(self._pipeline(piece))
        return tuple(found), ()

    def _branch(self, tokens: tuple[Token, ...], depth: int, in_range: bool) -> Branch:
        word, sight = tokens[0].text, len(self._variables)
        pipeline = self._pipeline(tokens[1:], most_variables=2 if word == "range" else 1)
        body, end = self.nodes(depth=depth + 1, in_range=in_range)
        otherwise: tuple[Node, ...] = ()
        if end and end[0].text == "else":
            if len(end) > 1 and end[1].text in ("if", "with"):
                otherwise = (self._branch(end[1:], depth + 1, in_range),)  # this also reads its end
                del self._variables[sight:]
                return Branch(word=word, pipeline=pipeline, body=body, otherwise=otherwise)
            if len(end) > 1:
                raise TemplateError(f"unexpected {end[1].text!r} behind else")
            otherwise, end = self.nodes(depth=depth + 1, in_range=in_range)
        if not end or end[0].text != "end" or len(end) > 1:
            raise TemplateError(f"{{{{{word}}}}} has no {{{{end}}}}")
        del self._variables[sight:]
        return Branch(word=word, pipeline=pipeline, body=body, otherwise=otherwise)

    def _pipeline(self, tokens: Sequence[Token], most_variables: int = 1) -> Pipeline:
        return _PipelineReader(tokens, self._variables).all(most_variables)


class _PipelineReader:
    """A parser of the tokens of one action."""

    def __init__(self, tokens: Sequence[Token], variables: list[str]) -> None:
        self._tokens = tokens
        self._variables = variables
        self._at = 0
        self._depth = 0

    def all(self, most_variables: int) -> Pipeline:
        """Return the pipeline of all tokens."""
        names, declares = self._assigned(most_variables)
        pipeline = self._commands(names, declares)
        if (token := self._peek()) is not None:
            raise TemplateError(f"unexpected {token.text!r}")
        if declares:
            self._variables.extend(names)
        return pipeline

    def _assigned(self, most: int) -> tuple[tuple[str, ...], bool]:
        """Read ``$a, $b :=`` at the start, if it is there."""
        texts = [token.text for token in self._tokens[:4]]
        for count in range(1, most + 1):
            sign = texts[2 * count - 1 : 2 * count]
            names = self._tokens[: 2 * count - 1 : 2]
            if sign not in ([":="], ["="]) or any(each.kind != "variable" for each in names):
                continue
            if count == 2 and texts[1] != ",":
                continue
            self._at = 2 * count
            declares = sign == [":="]
            for name in names:
                if not declares:
                    self._check(name.text)
            return tuple(name.text for name in names), declares
        return (), False

    def _commands(self, names: tuple[str, ...] = (), declares: bool = False) -> Pipeline:
        commands = [self._command()]
        while (token := self._peek()) is not None and token.text == "|" and token.kind == "sign":
            self._at += 1
            commands.append(self._command())
        for command in commands[1:]:
            if not isinstance(command[0], Call):
                raise TemplateError("only a function can stand behind |")
        return Pipeline(commands=tuple(commands), variables=names, declares=declares)

    def _command(self) -> tuple[Operand, ...]:
        operands: list[Operand] = []
        while (operand := self._operand()) is not None:
            operands.append(operand)
            token = self._peek()
            if token is not None and not token.apart and token.text not in ("|", ")"):
                raise TemplateError(f"unexpected {token.text!r}")
        if not operands:
            raise TemplateError("missing value for command")
        if len(operands) > 1 and not isinstance(operands[0], Call):
            raise TemplateError("arguments stand behind what is no function")
        return tuple(operands)

    def _operand(self) -> Operand | None:
        token = self._peek()
        if token is None or (token.kind == "sign" and token.text != "("):
            return None
        self._at += 1
        base = self._base(token)
        fields: list[str] = [token.text[1:]] if token.kind == "field" else []
        while (after := self._peek()) is not None and after.kind == "field" and not after.apart:
            if isinstance(base, Constant | Call):
                raise TemplateError(f"unexpected {after.text!r} behind {token.text!r}")
            self._at += 1
            fields.append(after.text[1:])
        return Chain(base, tuple(fields)) if fields else base

    def _base(self, token: Token) -> Operand:
        match token.kind:
            case "field" | "dot":
                return Dot()
            case "variable":
                self._check(token.text)
                return Variable(token.text)
            case "text" | "char" | "number":
                return Constant(_constant(token))
            case "word" if token.text in _CONSTANTS:
                return Constant(_CONSTANTS[token.text])
            case "word" if token.text in FUNCTIONS:
                return Call(token.text)
            case "word":
                raise TemplateError(
                    f'function "{token.text}" not defined', hint=f"known: {', '.join(FUNCTIONS)}"
                )
            case _:
                return self._parenthesized()

    def _parenthesized(self) -> Pipeline:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise TemplateError(f"more than {_DEEPEST} parentheses in one another")
        pipeline = self._commands()
        if (token := self._peek()) is None or token.text != ")":
            raise TemplateError("unclosed left paren")
        self._at += 1
        self._depth -= 1
        return pipeline

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _check(self, name: str) -> None:
        if name not in self._variables:
            raise TemplateError(f'undefined variable "{name}"')


def _constant(token: Token) -> object:
    text = token.text
    if token.kind == "number":
        return _number(text)
    if text[0] == "`":
        return text[1:-1]
    unquoted = _ESCAPE.sub(_unescaped, text[1:-1])
    if token.kind == "text":
        return unquoted
    if len(unquoted) != 1:
        raise TemplateError(f"malformed character constant: {text}")
    return ord(unquoted)


def _number(text: str) -> int | float:
    digits = text.lstrip("+-")
    if len(digits) > _LONGEST_NUMBER:
        raise TemplateError(f"{text:.20}… is too long a number")
    value: int | float
    if digits[:2] in ("0x", "0X"):
        value = int(digits, 16)
    elif digits.isdecimal():
        value = int(digits, 8 if digits[0] == "0" and set(digits) <= set("01234567") else 10)
    else:
        value = float(digits)
    if value > _LARGEST:
        raise TemplateError(f"{text} is too large")
    return -value if text[0] == "-" else value


def _unescaped(found: re.Match[str]) -> str:
    hexadecimal = found[1] or found[2] or found[3]
    if hexadecimal or found[4]:
        code = int(hexadecimal, 16) if hexadecimal else int(found[4], 8)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise TemplateError(f"{found[0]} is no character")
        return chr(code)
    if found[5] not in _ESCAPED:
        raise TemplateError(f"unknown escape {found[0]}")
    return _ESCAPED[found[5]]
