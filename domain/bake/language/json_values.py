"""JSON text to expressions (hcl/json/spec.md)."""

import re
from collections.abc import Iterable
from typing import NoReturn

from img.domain.bake.errors import BakeSyntaxError, SourceText, Span
from img.domain.bake.language.expressions import Expression, Literal
from img.domain.bake.language.scope import Scope
from img.domain.bake.language.template_parser import parse_template, too_deep
from img.domain.bake.values.convert import BadConversion, to_text
from img.domain.bake.values.numbers import Number
from img.domain.bake.values.types import NUMBER
from img.domain.bake.values.value import FALSE, NULL, TRUE, Value, object_of, string, tuple_of

_BLANK = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_STRING = re.compile(r'"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"')
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_KEYWORDS = {"true": TRUE, "false": FALSE, "null": NULL}


class JsonText(Expression):
    """A string: a template where it has ``${`` or ``%{``."""

    __slots__ = ("_template", "text")

    def __init__(self, span: Span, text: str) -> None:
        super().__init__(span)
        self.text = text
        self._template: Expression | None = None

    def template(self) -> Expression:
        """Return the expression that the text is. Raises BakeSyntaxError."""
        if self._template is None:
            if "${" in self.text or "%{" in self.text:
                self._template = parse_template(self.span.source, self.text, self.span)
            else:
                self._template = Literal(self.span, string(self.text))
        return self._template

    def value(self, scope: Scope) -> Value:
        return self.template().value(scope)

    def parts(self) -> Iterable[Expression]:
        return (self.template(),)


class JsonArray(Expression):
    """An array."""

    __slots__ = ("items",)

    def __init__(self, span: Span, items: list[Expression]) -> None:
        super().__init__(span)
        self.items = items

    @property
    def start(self) -> Span:
        return Span(self.span.source, self.span.start, self.span.start + 1)

    def value(self, scope: Scope) -> Value:
        return tuple_of([item.value(scope) for item in self.items])

    def parts(self) -> Iterable[Expression]:
        return self.items


class JsonObject(Expression):
    """An object; names may stand in it several times."""

    __slots__ = ("members",)

    def __init__(self, span: Span, members: list[tuple[JsonText, Expression]]) -> None:
        super().__init__(span)
        self.members = members

    @property
    def start(self) -> Span:
        return Span(self.span.source, self.span.start, self.span.start + 1)

    def value(self, scope: Scope) -> Value:
        found: dict[str, Value] = {}
        for key, item in self.members:
            name = key.value(scope)
            try:
                text = to_text(name) if not name.is_null else None
            except BadConversion:
                text = None
            if text is None:
                raise BakeSyntaxError(
                    "Invalid object key expression",
                    f"Cannot use this expression as an object key: {name.type.friendly}.",
                    key.span,
                )
            if text in found:
                raise BakeSyntaxError(
                    "Duplicate object attribute",
                    f'An attribute named "{text}" was already defined.',
                    key.span,
                )
            found[text] = item.value(scope)
        return object_of(found)

    def parts(self) -> Iterable[Expression]:
        return [part for member in self.members for part in member]


def parse_json_value(source: SourceText) -> Expression:
    """Return the value that the file is. Raises BakeSyntaxError."""
    try:
        return _Reader(source).document()
    except RecursionError:
        raise too_deep(Span(source, 0, 0)) from None


class _Reader:
    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._text = source.text
        self._at = 0

    def document(self) -> Expression:
        value = self._value()
        self._skip()
        if self._at < len(self._text):
            self._fail(
                "Extraneous data after value", "Extra characters appear after the JSON value."
            )
        return value

    def _span(self, start: int, end: int | None = None) -> Span:
        return Span(self._source, start, self._at if end is None else end)

    def _fail(self, summary: str, detail: str, span: Span | None = None) -> NoReturn:
        raise BakeSyntaxError(summary, detail, span or self._span(self._at, self._at + 1))

    def _skip(self) -> str:
        """Skip blanks; return the next character, "" at the end."""
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return self._text[self._at : self._at + 1]

    def _value(self) -> Expression:
        char = self._skip()
        start = self._at
        if char == "{":
            return self._object()
        if char == "[":
            return self._array()
        if char == '"':
            return self._string()
        if number := _NUMBER.match(self._text, start):
            self._at = number.end()
            if self._text[self._at : self._at + 1].isalnum():
                self._fail("Invalid JSON number", "There is a syntax error in the given number.")
            return Literal(self._span(start), Value(NUMBER, Number.parse(number[0])))
        if word := _WORD.match(self._text, start):
            self._at = word.end()
            if word[0] in _KEYWORDS:
                return Literal(self._span(start), _KEYWORDS[word[0]])
            self._fail(
                "Invalid JSON keyword",
                f'"{word[0]}" is not a valid JSON keyword.',
                self._span(start),
            )
        if not char:
            self._fail("Missing value", "The JSON data ends prematurely.")
        self._fail(
            "Invalid start of value",
            "A JSON value must start with a brace, a bracket, a number, a string, or a keyword.",
        )
        return None

    def _string(self) -> JsonText:
        start = self._at
        found = _STRING.match(self._text, start)
        if not found:
            self._fail(
                "Invalid JSON string",
                "The string has no end, or there is a control character or an unknown escape "
                "sequence in it.",
            )
        self._at = found.end()
        text = found[1]
        if "\\" in text:
            text = _ESCAPE.sub(
                lambda found: (
                    chr(int(found[1], 16)) if found[1] else _ESCAPES.get(found[2], found[2])
                ),
                text,
            )
            # Halves of surrogate pairs, as JSON has them, become the characters that they mean.
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return JsonText(self._span(start), text)

    def _array(self) -> Expression:
        start = self._at
        self._at += 1
        items: list[Expression] = []
        while self._skip() != "]":
            items.append(self._value())
            char = self._skip()
            if char == ",":
                comma = self._at
                self._at += 1
                if self._skip() == "]":
                    self._fail(
                        "Trailing comma in array",
                        "JSON does not permit a trailing comma after the final value in an array.",
                        self._span(comma, comma + 1),
                    )
            elif char != "]":
                self._fail(
                    "Missing attribute separator" if char else "Unclosed array",
                    "A comma must appear between values, and a bracket behind the last one.",
                )
        self._at += 1
        return JsonArray(self._span(start), items)

    def _object(self) -> Expression:
        start = self._at
        self._at += 1
        members: list[tuple[JsonText, Expression]] = []
        while (char := self._skip()) != "}":
            if char != '"':
                self._refuse_name()
            name = self._string()
            if self._skip() != ":":
                self._fail(
                    "Missing property value colon",
                    "A colon must appear between an object property's name and its value.",
                )
            self._at += 1
            members.append((name, self._value()))
            char = self._skip()
            if char == ",":
                comma = self._at
                self._at += 1
                if self._skip() == "}":
                    self._fail(
                        "Trailing comma in object",
                        "JSON does not permit a trailing comma after the final property in an "
                        "object.",
                        self._span(comma, comma + 1),
                    )
            elif char != "}":
                self._fail(
                    "Missing attribute separator" if char else "Unclosed object",
                    "A comma must appear between properties, and a brace behind the last one.",
                )
        self._at += 1
        return JsonObject(self._span(start), members)

    def _refuse_name(self) -> NoReturn:
        self._value()  # says what is wrong with what can be no value at all
        self._fail("Invalid object property name", "A JSON object property name must be a string.")
