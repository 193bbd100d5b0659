"""Patterns run on texts in a time that is linear in both (Go regexp, backtrack.go)."""

from collections.abc import Callable, Iterator
from functools import lru_cache

from img.domain.bake.regexp.parser import (
    Alternatives,
    Assertion,
    BadRegexp,
    Chars,
    Group,
    Node,
    Repeat,
    Sequence,
    parse,
)

_MOST_INSTRUCTIONS = 5_000
Spans = tuple[int, ...]  # starts and ends of the match and of its groups, -1 where there is none


class Regexp:
    """A pattern that is ready to run."""

    def __init__(self, pattern: str) -> None:
        parsed = parse(pattern)
        self.names = parsed.names
        self._program: list[tuple[str, object, int, int]] = []
        self._emit(parsed.node)
        self._add("match")

    def find(self, text: str, start: int, spend: Callable[[int], None]) -> Spans | None:
        """Return the leftmost match from ``start`` on, None if there is none.

        ``spend`` counts the steps.
        """
        program, length = self._program, len(text)
        width = length + 1
        seen: set[int] = set()
        empty = (-1,) * (2 * len(self.names) + 2)
        for first in range(start, width):
            stack: list[tuple[int, int, Spans]] = [(0, first, empty)]
            while stack:
                at, place, spans = stack.pop()
                while True:
                    mark = at * width + place
                    if mark in seen:
                        break
                    seen.add(mark)
                    kind, what, one, other = program[at]
                    if kind == "char":
                        if place >= length or text[place] not in what:  # type: ignore[operator]
                            break
                        at, place = at + 1, place + 1
                    elif kind == "split":
                        stack.append((other, place, spans))
                        at = one
                    elif kind == "jump":
                        at = one
                    elif kind == "save":
                        spans = (*spans[:one], place, *spans[one + 1 :])
                        at += 1
                    elif kind == "assert":
                        if not _holds(str(what), text, place):
                            break
                        at += 1
                    else:
                        spend(len(seen) // 4)
                        return (first, place, *spans[2:])
        spend(len(seen) // 4)
        return None

    def find_all(self, text: str, spend: Callable[[int], None]) -> Iterator[Spans]:
        """Return all matches that do not overlap; an empty one not right behind another."""
        at, last_end = 0, -1
        while at <= len(text):
            found = self.find(text, at, spend)
            if found is None:
                return
            start, end = found[:2]
            if start != end or start != last_end:
                yield found
            last_end = end
            at = end if end > at else at + 1
            if start == end and end >= at:
                at = end + 1

    def _add(self, kind: str, what: object = None, one: int = 0, other: int = 0) -> int:
        if len(self._program) >= _MOST_INSTRUCTIONS:
            raise BadRegexp("expression is too large")
        self._program.append((kind, what, one, other))
        return len(self._program) - 1

    def _patch(self, at: int, one: int, other: int = 0) -> None:
        kind, what, _, _ = self._program[at]
        self._program[at] = (kind, what, one, other)

    def _emit(self, node: Node) -> None:
        match node:
            case Chars(chars):
                self._add("char", chars)
            case Assertion(kind):
                self._add("assert", kind)
            case Sequence(items):
                for item in items:
                    self._emit(item)
            case Group(item, number):
                self._add("save", None, 2 * number)
                self._emit(item)
                self._add("save", None, 2 * number + 1)
            case Alternatives(items):
                self._alternatives(items)
            case Repeat():
                self._repeat(node)

    def _alternatives(self, items: tuple[Node, ...]) -> None:
        jumps = []
        for item in items[:-1]:
            split = self._add("split")
            self._emit(item)
            jumps.append(self._add("jump"))
            self._patch(split, split + 1, len(self._program))
        self._emit(items[-1])
        for jump in jumps:
            self._patch(jump, len(self._program))

    def _repeat(self, node: Repeat) -> None:
        for _ in range(node.least):
            self._emit(node.item)
        if node.most is None:
            split = self._add("split")
            self._emit(node.item)
            self._add("jump", None, split)
            self._branch(split, node.greedy)
            return
        splits = []
        for _ in range(node.most - node.least):
            splits.append(self._add("split"))
            self._emit(node.item)
        for split in splits:
            self._branch(split, node.greedy)

    def _branch(self, split: int, greedy: bool) -> None:
        inside, behind = split + 1, len(self._program)
        self._patch(split, *((inside, behind) if greedy else (behind, inside)))


def _holds(kind: str, text: str, place: int) -> bool:
    match kind:
        case "text start":
            return place == 0
        case "text end":
            return place == len(text)
        case "line start":
            return place == 0 or text[place - 1] == "\n"
        case "line end":
            return place == len(text) or text[place] == "\n"
    boundary = _word(text, place - 1) is not _word(text, place)
    return boundary is (kind == "boundary")


def _word(text: str, place: int) -> bool:
    return (
        0 <= place < len(text)
        and text[place].isascii()
        and (text[place].isalnum() or text[place] == "_")
    )


@lru_cache(maxsize=256)
def compile_regexp(pattern: str) -> Regexp:
    """Return ``pattern``, ready to run. Raises BadRegexp."""
    return Regexp(pattern)
