""".dockerignore: the paths of a build context that are excluded.

Source: Dockerfile reference, ".dockerignore file"; moby/patternmatcher, MatchesUsingParentResults
and MatchesOrParentMatches.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import field
from itertools import groupby

from img.domain.dataclass import dataclass
from img.domain.dockerfile.many_stars import ManyStars
from img.domain.errors import ContextError
from img.domain.go.file_paths import clean_path

NOT_MATCHED = 0  # the state of a path that no pattern has matched
_ATOM = r"(?:[^\\\-\]]|\\.)"
_VALID = rf"(?s)(?:[^\\\[]|\\.|\[\^?(?:{_ATOM}(?:-{_ATOM})?)+\])*"
_CHUNK = r"(?s)(\**)((?:\\.|\[(?:\\.|[^\]\\])*\]?|[^*\[\\]|\\\Z)*)"
_WILDCARD = r"[*?\[\]\\]"
_FLAGS = re.DOTALL | re.ASCII
_NOT_OF_NAMES = r"\*\*|[|^{}]"  # in expressions of a single name


class BadIgnorePattern(ContextError):
    """A malformed pattern."""

    def __init__(self, pattern: str) -> None:
        problem = "illegal exclusion pattern" if pattern == "!" else "syntax error in pattern"
        super().__init__(f'{problem}: "{pattern}"', hint="correct it in .dockerignore")
        self.pattern = pattern


def read_ignore_patterns(text: str) -> tuple[str, ...]:
    """Return the patterns of a .dockerignore file, cleaned, in order (moby ignorefile.ReadAll)."""
    patterns: list[str] = []
    for line in text.removeprefix("\ufeff").split("\n"):
        if line.startswith("#") or not (pattern := line.strip()):
            continue
        inverted = pattern.startswith("!")
        cleaned = _cleaned(pattern[1:].strip() if inverted else pattern)
        if len(cleaned) > 1:
            cleaned = cleaned.removeprefix("/")
        patterns.append("!" + cleaned if inverted else cleaned)
    return tuple(patterns)


def _cleaned(path: str) -> str:
    """Return ``path`` as Go cleans it; "" stays "", so that a lone "!" is noticed."""
    return clean_path(path) if path else ""


class IgnoreMatcher:
    """A matcher for a list of patterns; the last pattern that matches a path decides.

    A pattern that matches a directory also matches everything in it. To walk a tree, pass the
    state of each directory to its children (``child_state``); parents are not matched again::

        state = matcher.child_state("a/b", state_of_a)
        if matcher.is_excluded(state): ...

    In a walk a pattern is only tried where it changes something. So ``!d`` does not match a
    directory that is not excluded, and has no effect on the files in it: ``**/*.log`` and ``!d``
    exclude ``d/x.log`` (fsutil, filter.go). ``excludes`` tries all patterns with all parents.

    A pattern may be well-formed and still give no expression, such as ``a\\y``. As in moby, only a
    path that is compared with it is an error: each method that gets a path raises BadIgnorePattern.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile ``patterns``. Raises BadIgnorePattern."""
        parsed = [_Pattern.parse(pattern) for pattern in patterns if pattern.strip()]
        self._traps = tuple(_traps(parsed))
        parsed = [pattern for pattern in parsed if pattern.has_expression]
        # Adjacent patterns of one kind form a run: all matches in it have the same effect.
        self._runs = tuple(
            _Run.of(tuple(run), includes)
            for includes, run in groupby(parsed, key=lambda pattern: pattern.includes)
        )
        self._excluding = (*(not run.includes for run in self._runs), False)  # [-1]: not matched
        self._backwards = tuple(reversed(tuple(enumerate(self._runs))))
        self._bits = tuple((1 << index, run) for index, run in enumerate(self._runs))
        self._directories: dict[str, int] = {}  # the last run that matches
        self._states: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Return whether there are any patterns."""
        return bool(self._runs or self._traps)

    def excludes(self, path: str) -> bool:
        """Return whether ``path`` (relative, with slashes) or a parent of it is excluded."""
        return path != "." and self._excluding[self._last_match(path)]

    def hides(self, path: str) -> bool:
        """Return whether a walk excludes ``path`` (relative, with slashes)."""
        return path != "." and self.is_excluded(self._state(path))

    def child_state(self, path: str, parent_state: int = NOT_MATCHED) -> int:
        """Return the state of ``path``, one bit for each run; its parent has ``parent_state``."""
        self._try_traps(path)
        state, excluded = NOT_MATCHED, False
        for bit, run in self._bits:
            if parent_state & bit or (run.includes == excluded and run.matches(path)):
                state |= bit
                excluded = not run.includes
        return state

    def is_excluded(self, state: int) -> bool:
        """Return whether a path with this state is excluded."""
        return self._excluding[state.bit_length() - 1]

    def excludes_child(self, path: str, parent_state: int) -> tuple[bool, int]:
        """Return whether ``path`` is excluded, and its state for its own children."""
        state = self.child_state(path, parent_state)
        return self.is_excluded(state), state

    def may_skip_directory(self, path: str, state: int | None = None) -> bool:
        """Return whether no path in the directory ``path`` can be included again."""
        state = self._state(path) if state is None else state
        if not self.is_excluded(state):
            return False
        later = (run for run in self._runs[state.bit_length() :] if run.includes)
        return not any(run.may_match_beneath(path) for run in later)

    def _state(self, path: str) -> int:
        parent = path.rpartition("/")[0]
        if not parent:
            return self.child_state(path)
        state = self._states.get(parent)
        if state is None:
            state = self._states[parent] = self._state(parent)
        return self.child_state(path, state)

    def _last_match(self, path: str) -> int:
        """Return the index of the last run that matches ``path`` or a parent of it, else -1."""
        self._try_traps(path)
        above = -1
        if parent := path.rpartition("/")[0]:
            known = self._directories.get(parent)
            above = self._last_match(parent) if known is None else known
            self._directories[parent] = above
        for index, run in self._backwards:
            if index <= above:
                break
            if run.matches(path):
                return index
        return above

    def _try_traps(self, path: str) -> None:
        for trap in self._traps:
            trap.try_with(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    text: str  # cleaned, without "!"
    includes: bool
    has_expression: bool = True

    @property
    def written(self) -> str:
        """The pattern as a line of the file."""
        return f"!{self.text}" if self.includes else self.text

    @classmethod
    def parse(cls, pattern: str) -> "_Pattern":
        cleaned = _cleaned(pattern.strip())
        text = cleaned.removeprefix("!")
        if not text or not _is_well_formed(text):
            raise BadIgnorePattern(cleaned)
        return cls(
            text=text,
            includes=cleaned.startswith("!"),
            has_expression=_has_expression(text),
        )


@dataclass(frozen=True, slots=True)
class _Trap:
    """A pattern without an expression: an error for the paths that are compared with it."""

    pattern: _Pattern
    before: IgnoreMatcher  # the patterns above it

    def try_with(self, path: str) -> None:
        """Raise BadIgnorePattern if ``path`` is in the state that the pattern would change."""
        if self.before.excludes(path) == self.pattern.includes:
            raise BadIgnorePattern(self.pattern.text)


def _traps(patterns: Sequence[_Pattern]) -> Iterator[_Trap]:
    for index, pattern in enumerate(patterns):
        if not pattern.has_expression:
            above = [each.written for each in patterns[:index] if each.has_expression]
            yield _Trap(pattern, IgnoreMatcher(above))


def _is_well_formed(text: str) -> bool:
    """Return whether Go's filepath.Match accepts ``text``; moby tries it with the name ".".

    It reads the text between two stars, and stops where that does not match.
    """
    for stars, chunk in re.findall(_CHUNK, text):
        if not re.fullmatch(_VALID, chunk):
            return False
        if (chunk and not _takes_a_dot(chunk)) or (stars and not chunk):
            return True
    return True


def _takes_a_dot(chunk: str) -> bool:
    try:
        return re.fullmatch(_expression_of(chunk), ".") is not None
    except re.error:
        return False


@dataclass(slots=True, kw_only=True)
class _Run:
    """Patterns of one kind, grouped by cost: sets are tried first, expressions last."""

    includes: bool
    paths: frozenset[str]
    names: frozenset[str]  # **/NAME
    name_expression: "_AnyOf | None"  # **/*.NAME
    expression: "_AnyOf | None"
    segments: tuple[tuple[str, ...], ...] = field(default=())

    @classmethod
    def of(cls, patterns: Sequence[_Pattern], includes: bool) -> "_Run":
        texts = [pattern.text for pattern in patterns]
        plain = {text for text in texts if not re.search(_WILDCARD, text)}
        anywhere = {text[3:] for text in texts if text.startswith("**/") and "/" not in text[3:]}
        names = {name for name in anywhere if not re.search(_WILDCARD, name)}
        of_names = {name for name in anywhere - names if not re.search(_NOT_OF_NAMES, name)}
        handled = plain | {"**/" + name for name in names | of_names}
        return cls(
            includes=includes,
            paths=frozenset(plain),
            names=frozenset(names),
            name_expression=_any_of(sorted(of_names)),
            expression=_any_of([text for text in texts if text not in handled]),
            segments=tuple(tuple(text.split("/")) for text in texts) if includes else (),
        )

    def matches(self, path: str) -> bool:
        """Return whether one of the patterns matches ``path`` itself."""
        if path in self.paths:
            return True
        if self.names or self.name_expression:
            name = path[path.rfind("/") + 1 :]
            if name in self.names:
                return True
            if self.name_expression and self.name_expression.fullmatch(name):
                return True
        return self.expression is not None and self.expression.fullmatch(path)

    def may_match_beneath(self, directory: str) -> bool:
        """Return whether a pattern may match a path below ``path``."""
        parts = directory.split("/")
        return any(_reaches_beneath(parts, segments) for segments in self.segments)


def _reaches_beneath(parts: Sequence[str], segments: Sequence[str]) -> bool:
    """Return whether a pattern may match a path under ``parts``; True when in doubt."""
    for part, segment in zip(parts, segments, strict=False):
        if "**" in segment or "[" in segment or "\\" in segment or not _has_expression(segment):
            return True
        if segment == part:
            continue
        if not segment or not _AnyOf.of([segment]).fullmatch(part):
            return False
    return len(segments) > len(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AnyOf:
    """Expressions, tried all at once except for the slow ones."""

    quick: re.Pattern[str] | None
    slow: tuple[ManyStars, ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "_AnyOf":
        expressions = [_expression_of(text) for text in texts]
        slow = [ManyStars.of(expression) for expression in expressions]
        quick = [each for each, other in zip(expressions, slow, strict=True) if other is None]
        return cls(
            quick=re.compile("|".join(quick), _FLAGS) if quick else None,
            slow=tuple(each for each in slow if each is not None),
        )

    def fullmatch(self, text: str) -> bool:
        """Return whether one of the expressions matches all of ``text``."""
        if self.quick is not None and self.quick.fullmatch(text):
            return True
        return any(each.fullmatch(text) for each in self.slow)


def _has_expression(text: str) -> bool:
    if not re.search(_WILDCARD, text):
        return True  # and is compared as it is
    try:
        re.compile(_expression_of(text), _FLAGS)
    except re.error:
        return False
    return True


def _any_of(texts: Sequence[str]) -> _AnyOf | None:
    return _AnyOf.of(texts) if texts else None


_PIECE = r"(?s)\*\*/?|\\.|."
_CLASS_OR_BAR = r"(?s)(\[\^?\]?)((?:\\.|[^\]\\])*\])|\\.|\||\["
_KEPT_FOR_LATER = r"[\[&~|]|(?<=-)-"  # by Python, inside of character classes
_GO_ESCAPES = {
    **{char: rf"\{char}" for char in "dDsSwWbBAafnrtv"},  # as in Python with re.ASCII
    "z": r"\Z",
}
_ESCAPED = frozenset(".+()$")  # in moby, "|", "{", "}" and "^" keep their meaning in expressions


def _expression_of(text: str) -> str:
    """Return the regular expression that moby makes of a pattern (Pattern.compile).

    "**" next to plain text is a prefix or suffix test in moby: "**x" matches "yx"; "**x*" does not.
    """
    first, *rest = pieces = re.findall(_PIECE, text)
    if first == "**" and not re.search(_WILDCARD, text[2:]):
        return ".*" + re.escape(text[2:])
    if first == "**/" and not re.search(_WILDCARD, text[3:]):
        return "(?:.*/)?" + re.escape(text[3:])
    if rest and rest[-1] == "**" and not re.search(_WILDCARD, text[:-2]):
        return re.escape(text[:-2]) + ".*"
    last = len(pieces) - 1
    found = "".join(_piece(piece, is_last=at == last) for at, piece in enumerate(pieces))
    return re.sub(_CLASS_OR_BAR, _for_python, found)


def _piece(piece: str, *, is_last: bool) -> str:
    if piece.startswith("**"):
        return ".*" if is_last else "(?:.*/)?"
    if piece == "*":
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if piece.startswith("\\"):
        return _escaped(piece[1:])
    return f"\\{piece}" if piece in _ESCAPED else piece


def _escaped(char: str) -> str:
    r"""Return the expression for ``\CHAR``, which moby hands to Go's expressions.

    So ``bin\debug`` matches ``bin1ebug``: ``\d`` is a digit. Raises re.error for an unknown escape.
    """
    if char in _GO_ESCAPES:
        return _GO_ESCAPES[char]
    if char.isalnum() or not char.isascii():
        raise re.error("invalid escape sequence")
    return re.escape(char or "\\")


def _for_python(found: re.Match[str]) -> str:
    """Return a part of an expression for Python, which needs more escapes in character classes.

    Go searches for a match, so an alternative in the middle need not match the ends.
    """
    opening, inside = found.groups()
    if opening:
        return opening + re.sub(_KEPT_FOR_LATER, r"\\\g<0>", inside)
    return {"|": ".*|.*", "[": "[]"}.get(found[0], found[0])  # not closed: no character class
