"""Patterns to trees (Go regexp/syntax)."""

import re
from typing import NamedTuple, NoReturn

from img.domain.bake.regexp.classes import CATEGORIES, PERL, POSIX, SCRIPTS, CharSet

_MOST_REPEATS = 1000
_MOST_DEPTH = 100
_MOST_SIZE = 20_000
_SIMPLE = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_REPEAT = re.compile(r"\{(\d{1,4})(?:(,)(\d{1,4})?)?\}")
_GROUP = re.compile(r"\(\?P?<([^>]*)>")
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")


class BadRegexp(ValueError):
    """A pattern that Go refuses."""


class Chars(NamedTuple):
    """One character of a set."""

    chars: CharSet


class Assertion(NamedTuple):
    """A place: ``^ $`` of lines or texts, word boundaries."""

    kind: str


class Sequence(NamedTuple):
    """One after the other."""

    items: tuple["Node", ...]


class Alternatives(NamedTuple):
    """The first that leads to a match."""

    items: tuple["Node", ...]


class Repeat(NamedTuple):
    """``least`` to ``most`` times; None is without an end."""

    item: "Node"
    least: int
    most: int | None
    greedy: bool


class Group(NamedTuple):
    """A part that is remembered."""

    item: "Node"
    number: int


Node = Chars | Assertion | Sequence | Alternatives | Repeat | Group


class Parsed(NamedTuple):
    """A pattern and the names of its groups, "" for those without."""

    node: Node
    names: tuple[str, ...]


def parse(pattern: str) -> Parsed:
    """Return the tree of ``pattern``. Raises BadRegexp."""
    parser = _Parser(pattern)
    return Parsed(parser.whole(), tuple(parser.names))


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._depth = 0
        self._flags = frozenset[str]()
        self.names: list[str] = []
        if len(pattern) > _MOST_SIZE:
            raise BadRegexp("expression is too large")

    def whole(self) -> Node:
        node = self._alternatives()
        if self._at < len(self._text):
            raise BadRegexp(f"unexpected ): {self._quoted(self._text)}")
        return node

    @staticmethod
    def _quoted(text: str) -> str:
        return f"`{text}`"

    def _alternatives(self) -> Node:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise BadRegexp("expression nests too deeply")
        before = self._flags
        items = [self._sequence()]
        while self._text[self._at : self._at + 1] == "|":
            self._at += 1
            items.append(self._sequence())
        self._flags = before
        self._depth -= 1
        return items[0] if len(items) == 1 else Alternatives(tuple(items))

    def _sequence(self) -> Node:
        items: list[Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            start = self._at
            node = self._atom()
            if node is not None:
                items.append(self._repeated(node, start))
        return Sequence(tuple(items))

    def _repeated(self, node: Node, start: int) -> Node:
        times = 0
        while bounds := self._bounds():
            operator = self._text[bounds[2] : self._at]
            greedy = "U" not in self._flags
            if self._text[self._at : self._at + 1] == "?":
                self._at += 1
                greedy = not greedy
            times += 1
            if times > 1:
                # Go refuses a** and a{2}{3} but takes (a*)*.
                raise BadRegexp(
                    "invalid nested repetition operator: "
                    f"{self._quoted(self._text[self._last : self._at])}"
                )
            self._last = bounds[2]
            least, most, _ = bounds
            if max(least, most or 0) > _MOST_REPEATS or (most is not None and least > most):
                raise BadRegexp(f"invalid repeat count: {self._quoted(operator)}")
            node = Repeat(node, least, most, greedy)
        return node

    _last = 0

    def _bounds(self) -> tuple[int, int | None, int] | None:
        start = self._at
        char = self._text[start : start + 1]
        if char in ("*", "+", "?") and char:
            self._at += 1
            return (1 if char == "+" else 0), (1 if char == "?" else None), start
        found = _REPEAT.match(self._text, start)
        if not found:
            return None
        self._at = found.end()
        least = int(found[1])
        most = int(found[3]) if found[3] else (None if found[2] else least)
        return least, most, start

    def _atom(self) -> Node | None:
        char = self._text[self._at]
        match char:
            case "(":
                return self._group()
            case "[":
                return Chars(self._bracket())
            case ".":
                self._at += 1
                newline = () if "s" in self._flags else ((10, 10),)
                return Chars(CharSet(newline, negated=True))
            case "^":
                self._at += 1
                return Assertion("line start" if "m" in self._flags else "text start")
            case "$":
                self._at += 1
                return Assertion("line end" if "m" in self._flags else "text end")
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise BadRegexp(f"missing argument to repetition operator: {self._quoted(char)}")
        self._at += 1
        return self._literal(ord(char))

    def _literal(self, code: int) -> Node:
        return Chars(CharSet(((code, code),), folded="i" in self._flags))

    def _group(self) -> Node | None:
        if not self._text.startswith("(?", self._at):
            self._at += 1
            return self._capture("")
        if named := _GROUP.match(self._text, self._at):
            name = named[1]
            if not re.fullmatch(r"(?a)\w+", name) or name in self.names:
                kind = (
                    "duplicate capture group name"
                    if name in self.names
                    else "invalid named capture"
                )
                raise BadRegexp(
                    f"{kind}: {self._quoted(named[0] if name not in self.names else name)}"
                )
            self._at = named.end()
            return self._capture(name)
        flags = _FLAGS.match(self._text, self._at)
        if not flags:
            if ")" not in self._text[self._at :] and self._text[self._at + 2 : self._at + 3] in (
                "",
                ":",
            ):
                self._missing_parenthesis()
            raise BadRegexp(
                "invalid or unsupported Perl syntax: "
                f"{self._quoted(self._text[self._at : self._at + 3])}"
            )
        self._at = flags.end()
        changed = (self._flags | frozenset(flags[1])) - frozenset(flags[2] or "")
        if flags[3] == ")":
            self._flags = changed
            return None
        before, self._flags = self._flags, changed
        node = self._alternatives()
        self._flags = before
        self._close()
        return node

    def _capture(self, name: str) -> Node:
        self.names.append(name)
        number = len(self.names)
        node = self._alternatives()
        self._close()
        return Group(node, number)

    def _close(self) -> None:
        if self._text[self._at : self._at + 1] != ")":
            self._missing_parenthesis()
        self._at += 1

    def _missing_parenthesis(self) -> NoReturn:
        raise BadRegexp(f"missing closing ): {self._quoted(self._text)}")

    def _escape(self) -> Node | None:
        char = self._text[self._at + 1 : self._at + 2]
        if char == "Q":
            end = self._text.find("\\E", self._at)
            end = len(self._text) if end < 0 else end
            text = self._text[self._at + 2 : end]
            self._at = min(end + 2, len(self._text))
            return Sequence(tuple(self._literal(ord(one)) for one in text))
        if char == "E":
            self._at += 2
            return None
        places = {"A": "text start", "z": "text end", "b": "boundary", "B": "no boundary"}
        if char in places and char:
            self._at += 2
            return Assertion(places[char])
        if (found := self._class_escape()) is not None:
            return Chars(found)
        return self._literal(self._code())

    def _class_escape(self) -> CharSet | None:
        """Read ``\\d``, ``\\pL`` or another class, if there is one here."""
        char = self._text[self._at + 1 : self._at + 2]
        folded = "i" in self._flags
        if char and char in "dswDSW":
            self._at += 2
            return CharSet(PERL[char.lower()], negated=char.isupper())
        if not char or char not in "pP":
            return None
        found = re.compile(r"\\[pP](?:\{(\^?)(\w+)\}|(\w))").match(self._text, self._at)
        name = (found[2] or found[3]) if found else ""
        if not found or name not in CATEGORIES | SCRIPTS | {"Any"}:
            raise BadRegexp(
                "invalid character class range: "
                f"{self._quoted(found[0] if found else self._text[self._at :])}"
            )
        self._at = found.end()
        negated = (char == "P") is not bool(found[1])
        if name == "Any":
            return CharSet(((0, 0x10FFFF),), negated=negated)
        return CharSet((), ((name, False),), negated=negated, folded=folded)

    def _code(self) -> int:
        """Read an escaped character."""
        rest = self._text[self._at + 1 :]
        if not rest:
            raise BadRegexp("trailing backslash at end of expression: ``")
        if found := re.match(r"x(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\})", rest):
            self._at += 1 + found.end()
            code = int(found[1] or found[2], 16)
            if code <= 0x10FFFF:
                return code
        elif found := re.match(r"0[0-7]{0,2}|[1-7][0-7]{1,2}", rest):
            self._at += 1 + found.end()
            return int(found[0], 8)
        elif rest[0] in _SIMPLE:
            self._at += 2
            return _SIMPLE[rest[0]]
        elif (
            not (rest[0].isascii() and (rest[0].isalnum() or rest[0] == "_")) and rest[0].isascii()
        ):
            self._at += 2
            return ord(rest[0])
        raise BadRegexp(f"invalid escape sequence: {self._quoted(chr(92) + rest[0])}")

    def _bracket(self) -> CharSet:
        start = self._at
        self._at += 1
        negated = self._text.startswith("^", self._at)
        self._at += negated
        ranges: list[tuple[int, int]] = []
        sets: list[CharSet] = []
        first = True
        while first or self._text[self._at : self._at + 1] != "]":
            if self._at >= len(self._text):
                raise BadRegexp(f"missing closing ]: {self._quoted(self._text[start:])}")
            first = False
            if (found := self._named_class()) or (
                self._text[self._at] == "\\" and (found := self._class_escape())
            ):
                sets.append(found)
                continue
            ranges.append(self._range())
        self._at += 1
        return CharSet(tuple(ranges), (), tuple(sets), negated=negated, folded="i" in self._flags)

    def _named_class(self) -> CharSet | None:
        found = re.compile(r"\[:(\^?)([a-z]+):\]").match(self._text, self._at)
        if not found:
            return None
        if found[2] not in POSIX:
            raise BadRegexp(f"invalid character class range: {self._quoted(found[0])}")
        self._at = found.end()
        return CharSet(POSIX[found[2]], negated=bool(found[1]))

    def _range(self) -> tuple[int, int]:
        start = self._at
        low = self._one()
        if self._text[self._at : self._at + 1] == "-" and self._text[
            self._at + 1 : self._at + 2
        ] not in ("]", ""):
            self._at += 1
            high = self._one()
            if high < low:
                raise BadRegexp(
                    f"invalid character class range: {self._quoted(self._text[start : self._at])}"
                )
            return low, high
        return low, low

    def _one(self) -> int:
        char = self._text[self._at]
        if char == "\\":
            return self._code()
        self._at += 1
        return ord(char)
