"""Text to tokens (hcl/hclsyntax/spec.md, "Lexical Elements")."""

import re
from typing import NamedTuple, NoReturn

from img.domain.bake.errors import BakeSyntaxError, SourceText, Span

_NORMAL = re.compile(
    r"""
    (?P<space>[ \t]+)
    |(?P<newline>\r?\n)
    |(?P<comment>(?:\#|//)[^\n]*\n?)
    |(?P<inline>/\*.*?\*/)
    |(?P<heredoc><<-?(?P<marker>[^\W\d][\w-]*)\r?\n)
    |(?P<ident>[^\W\d][\w-]*)
    |(?P<number>[0-9](?:(?:[0-9.]|[eE][+-]?[0-9])*(?:[0-9]|[eE][+-]?[0-9]))?)
    |(?P<operator>==|!=|>=|<=|&&|\|\||=>|\.\.\.|::|[-+*/%<>!?:=.,()[\]{}])
    |(?P<quote>")
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(r'(?:\$\$\{|%%\{|[^"\\$%\r\n]|[$%](?!\{)|\\.|\r(?!\n))+')
_LINE = re.compile(r"(?:\$\$\{|%%\{|[^$%\n]|[$%](?!\{))*\n?")
_TEMPLATE = re.compile(r"(?:\$\$\{|%%\{|[^$%]|[$%](?!\{))+", re.DOTALL)
_OPENER = re.compile(r"[$%]\{~?")
_CURLY = "\u2018\u2019\u201c\u201d"


class Token(NamedTuple):
    """A token: ``kind`` is the text itself for operators."""

    kind: str
    text: str
    span: Span


class Lexer:
    """A lexer of a text; its first character is at ``base`` in the source."""

    def __init__(self, source: SourceText, text: str, base: int = 0) -> None:
        self._source = source
        self._text = text
        self._base = base
        self._at = 0
        self._tokens: list[Token] = []

    def body(self) -> list[Token]:
        """Return the tokens of a file. Raises BakeSyntaxError."""
        if self._text.startswith("\ufeff"):
            self._at = 1
        self._normal(nested=False)
        self._add("end", self._at)
        return self._tokens

    def template(self) -> list[Token]:
        """Return the tokens of a text that is a template as a whole. Raises BakeSyntaxError."""
        while self._at < len(self._text):
            found = _TEMPLATE.match(self._text, self._at)
            if found:
                self._add("text", found.end())
            elif not self._opener():
                break
        self._add("end", self._at)
        return self._tokens

    def _span(self, start: int, end: int) -> Span:
        return Span(self._source, self._base + start, self._base + end)

    def _add(self, kind: str, end: int) -> None:
        text = self._text[self._at : end]
        self._tokens.append(Token(kind, text, self._span(self._at, end)))
        self._at = end

    def _normal(self, *, nested: bool) -> None:
        """Read up to the end, or to the brace that ends an interpolation."""
        braces = 0
        text = self._text
        while self._at < len(text):
            found = _NORMAL.match(text, self._at)
            if nested and braces == 0 and text.startswith(("}", "~}"), self._at):
                self._add("closer", self._at + (2 if text[self._at] == "~" else 1))
                return
            if not found:
                self._refuse()
            kind = str(found.lastgroup)
            if found["heredoc"]:
                self._heredoc(found["marker"], found.end())
            elif kind == "quote":
                self._quoted()
            elif kind in ("space", "inline"):
                self._at = found.end()
            elif kind == "comment":
                self._add("newline" if found[0].endswith("\n") else "comment", found.end())
                if self._tokens[-1].kind == "comment":
                    self._tokens.pop()
            elif kind == "operator":
                braces += {"{": 1, "}": -1}.get(found[0], 0)
                self._add(found[0], found.end())
            else:
                self._add(kind, found.end())

    def _opener(self) -> bool:
        """Read an interpolation or a directive, if there is one here."""
        found = _OPENER.match(self._text, self._at)
        if not found:
            return False
        self._add("interpolation" if found[0][0] == "$" else "directive", found.end())
        self._normal(nested=True)
        return True

    def _quoted(self) -> None:
        self._add("open", self._at + 1)
        while self._at < len(self._text):
            if self._text[self._at] == '"':
                self._add("close", self._at + 1)
                return
            found = _QUOTED.match(self._text, self._at)
            if found:
                self._add("text", found.end())
            elif not self._opener():
                end = self._at + (2 if self._text[self._at] == "\r" else 1)
                raise BakeSyntaxError(
                    "Invalid multi-line string",
                    "Quoted strings may not be split over multiple lines. To produce a multi-line "
                    "string, either use the \\n escape to represent a newline character or use "
                    'the "heredoc" multi-line template syntax.',
                    self._span(self._at, end),
                )
        self._unterminated()

    def _heredoc(self, marker: str, end: int) -> None:
        closing = re.compile(rf"[^\S\n]*{re.escape(marker)}[^\S\n]*(?=\n)")
        self._add("heredoc", end)
        at_start = True
        while self._at < len(self._text):
            found = closing.match(self._text, self._at) if at_start else None
            if found:
                self._add("close", found.end())
                return
            line = _LINE.match(self._text, self._at)
            if line and line[0]:
                at_start = line[0].endswith("\n")
                self._add("text", line.end())
            else:
                at_start = False
                if not self._opener():
                    break
        self._unterminated()

    def _unterminated(self) -> NoReturn:
        raise BakeSyntaxError(
            "Unterminated template string",
            "No closing marker was found for the string.",
            self._span(self._at, self._at),
        )

    def _refuse(self) -> NoReturn:
        char = self._text[self._at]
        summary, detail = "Invalid character", "This character is not used within the language."
        if char in "&|^~":
            summary, detail = "Unsupported operator", "Bitwise operators are not supported."
            if char in "&|":
                detail += f' Did you mean boolean {"AND" if char == "&" else "OR"} ("{char * 2}")?'
        elif char == "'":
            detail = 'Single quotes are not valid. Use double quotes (") to enclose strings.'
        elif char == "`":
            detail = (
                'The "`" character is not valid. To create a multi-line string, use the "heredoc" '
                'syntax, like "<<EOT".'
            )
        elif char == ";":
            detail = (
                'The ";" character is not valid. Use newlines to separate arguments and blocks, '
                "and commas to separate items in collection values."
            )
        elif char in _CURLY:
            detail = (
                '"Curly quotes" are not valid here. These can sometimes be inadvertently '
                "introduced when sharing code via documents or discussion forums. It might help "
                'to replace the character with a "straight quote".'
            )
        raise BakeSyntaxError(summary, detail, self._span(self._at, self._at + 1))


def decode_source(name: str, data: bytes) -> SourceText:
    """Return the text of a file. Raises BakeSyntaxError for what is no UTF-8."""
    try:
        return SourceText(name, data.decode())
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        source = SourceText(name, data.decode("utf-8", "replace"))
        raise BakeSyntaxError(
            "Invalid character encoding",
            "All input files must be UTF-8 encoded. Ensure that UTF-8 encoding is selected in "
            "your editor.",
            Span(source, len(before), len(before) + 1),
        ) from None


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))|\$\$\{|%%\{", re.DOTALL)


def unescape_quoted(token: Token) -> str:
    """Return the text of a quoted string without escapes. Raises BakeSyntaxError."""
    if "\\" not in token.text and "{" not in token.text:
        return token.text

    def meaning(found: re.Match[str]) -> str:
        if found[0][0] != "\\":
            return found[0][1:]
        if found[3] in _ESCAPES:
            return _ESCAPES[found[3]]
        if found[3] is None:
            code = int(found[1] or found[2], 16)
            if code <= 0x10FFFF:
                return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)
        detail = f'The symbol "{found[3]}" is not a valid escape sequence selector.'
        if found[3] in ("u", "U", None):
            detail = (
                "The \\u escape sequence must be followed by four hexadecimal digits, \\U by eight."
            )
        start = token.span.start + found.start()
        raise BakeSyntaxError(
            "Invalid escape sequence",
            detail,
            Span(token.span.source, start, start + len(found[0])),
        )

    return _ESCAPE.sub(meaning, token.text)


def unescape_plain(text: str) -> str:
    """Return the text of a heredoc or of a JSON string without escapes."""
    if "{" not in text:
        return text
    return text.replace("$${", "${").replace("%%{", "%{")
