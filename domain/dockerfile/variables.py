"""Expansion of variables (Dockerfile reference, "Environment replacement")."""

import re
from collections.abc import Mapping

from img.domain.dataclass import dataclass
from img.domain.dockerfile.glob import (
    BadEscape,
    TooLong,
    replace_matches,
    trim_prefix,
    trim_suffix,
)
from img.domain.dockerfile.word_splitter import WordSplitter
from img.domain.errors import DockerfileError
from img.domain.go.formatting import quoted

# Digits come first: ``$1x`` is ``$1`` and an x. A special parameter is one character.
_ANGLES = re.compile(r"<(?:<[\t\r ]*)?")
_NAME = re.compile(r"\d+|[@*#?$!-]|\w+")

MOST_ADDED = 1 << 20
"""Characters that variables may add to one text: ``ENV A=$A$A`` doubles, line for line.

More than eight times of it no program can be given as an argument or a variable (execve(2)).
"""


class ExpansionFailed(DockerfileError):
    """A word that cannot be expanded: bad syntax, or a failed ``${NAME:?message}``."""


class TooMuchAdded(ExpansionFailed):
    """Values that would exhaust memory."""

    def __init__(self) -> None:
        super().__init__(f"variables make it longer than {MOST_ADDED} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """A word after expansion, and the variables in it: set and unset ones."""

    text: str
    words: tuple[str, ...] = ()  # the text, split at blanks outside of quotes
    matched: frozenset[str] = frozenset()
    unmatched: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoting:
    """The characters that expansion keeps."""

    skip_unset: bool = False  # ``$NAME`` is kept if NAME is not set
    raw_quotes: bool = False  # quotes protect their text, and are kept
    raw_escapes: bool = False  # escape characters protect the next character, and are kept
    ignore_quotes: bool = False  # quotes are ordinary text (bodies of heredocs)


PLAIN = Quoting()


def expand(
    word: str,
    env: Mapping[str, str],
    escape: str = "\\",
    *,
    quoting: Quoting = PLAIN,
    lines: tuple[int, int] | None = None,
) -> Expanded:
    """Return ``word`` with its variables expanded. Raises ExpansionFailed at ``lines``.

    A byte order mark at its start is dropped, as by Go's text/scanner.
    """
    lexer = _Lexer(word.removeprefix("\ufeff"), env, escape, quoting)
    try:
        text, words = lexer.until("")
    except TooMuchAdded as error:
        raise ExpansionFailed(error.message, lines=lines) from None
    except ExpansionFailed as error:
        raise ExpansionFailed(
            f"failed to process {quoted(word)}: {error.message}", lines=lines
        ) from None
    except RecursionError:
        raise ExpansionFailed("variables are nested too deeply", lines=lines) from None
    return Expanded(
        text=text,
        words=tuple(words),
        matched=frozenset(lexer.matched),
        unmatched=frozenset(lexer.unmatched),
    )


def expand_word(
    word: str,
    env: Mapping[str, str],
    escape: str = "\\",
    *,
    skip_unset: bool = False,
    raw_quotes: bool = False,
    raw_escapes: bool = False,
    ignore_quotes: bool = False,
    lines: tuple[int, int] | None = None,
) -> Expanded:
    """Return one word, as in ENV, LABEL, WORKDIR and COPY. Raises ExpansionFailed."""
    if word.isalnum():
        return Expanded(text=word, words=(word,))
    quoting = Quoting(
        skip_unset=skip_unset,
        raw_quotes=raw_quotes,
        raw_escapes=raw_escapes,
        ignore_quotes=ignore_quotes,
    )
    return expand(word, env, escape, quoting=quoting, lines=lines)


def expand_words(
    word: str,
    env: Mapping[str, str],
    escape: str = "\\",
    *,
    skip_unset: bool = False,
    raw_quotes: bool = False,
    raw_escapes: bool = False,
    lines: tuple[int, int] | None = None,
) -> list[str]:
    """Return any number of words, as in EXPOSE and VOLUME. Raises ExpansionFailed."""
    quoting = Quoting(skip_unset=skip_unset, raw_quotes=raw_quotes, raw_escapes=raw_escapes)
    return list(expand(word, env, escape, quoting=quoting, lines=lines).words)


class _Lexer:
    """A lexer of one text (BuildKit frontend/dockerfile/shell/lex.go)."""

    def __init__(self, text: str, env: Mapping[str, str], escape: str, quoting: Quoting) -> None:
        self._text = text
        self._at = 0
        self._env = env
        self._escape = escape
        self._quoting = quoting
        self._raw_escapes = quoting.raw_escapes
        quotes = "" if quoting.ignore_quotes else "'\""
        self._ordinary = re.compile(f"[^$<{re.escape(escape + quotes)}}}/]+")
        self._quotes = quotes
        self.matched: set[str] = set()
        self.unmatched: set[str] = set()
        self._arguments = 0  # number of words in braces so far
        self._added = 0  # characters of values

    def until(self, stop: str, *, raw_escapes: bool | None = None) -> tuple[str, list[str]]:
        """Return the text up to ``stop`` or the end, and its words."""
        before = self._raw_escapes
        self._raw_escapes = before if raw_escapes is None else raw_escapes
        try:
            return self._read(stop)
        finally:
            self._raw_escapes = before

    def _read(self, stop: str) -> tuple[str, list[str]]:
        result: list[str] = []
        words = WordSplitter()
        while self._at < len(self._text):
            if run := self._ordinary.match(self._text, self._at):
                self._at = run.end()
                result.append(run.group())
                words.add(run.group())
                continue
            char, arguments = self._text[self._at], self._arguments
            if stop and char == stop:
                self._at += 1
                return "".join(result), words.finish()
            if char == "$":
                result.append(self._variable())
                self._forget_word(words, arguments)
                words.add(result[-1])
            elif char in self._quotes:
                result.append(self._single_quoted() if char == "'" else self._double_quoted())
                self._forget_word(words, arguments)
                words.add_whole(result[-1])
            elif char == self._escape:
                result.append(self._escaped())
                words.add_whole(result[-1])
            elif char == "<":
                result.append(self._angles())
                words.add_whole(result[-1])
            else:
                self._at += 1
                result.append(char)
                words.add(char)
        if stop:
            raise ExpansionFailed(f"unexpected end of statement while looking for matching {stop}")
        return "".join(result), words.finish()

    def _forget_word(self, words: WordSplitter, arguments: int) -> None:
        """Drop the word before ``${v:-word}``: in BuildKit both share one buffer."""
        if self._arguments != arguments:
            words.forget()

    def _next(self) -> str:
        """Return the next character and advance; "" at the end."""
        char = self._text[self._at : self._at + 1]
        self._at += len(char)
        return char

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _escaped(self) -> str:
        kept = self._next() if self._raw_escapes else ""
        if not kept:
            self._at += 1
        return kept + self._next()

    def _angles(self) -> str:
        """Return ``<``, or ``<<`` and the blanks after it, which may precede a heredoc's name."""
        found = _ANGLES.match(self._text, self._at)
        assert found is not None  # the caller has read the first one
        self._at = found.end()
        return found.group()

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            self._at = len(self._text)
            raise ExpansionFailed(
                "unexpected end of statement while looking for matching single-quote"
            )
        start, self._at = self._at, end + 1
        return (
            self._text[start : end + 1] if self._quoting.raw_quotes else self._text[start + 1 : end]
        )

    def _double_quoted(self) -> str:
        self._at += 1
        quote = '"' if self._quoting.raw_quotes else ""
        result = [quote]
        while char := self._peek():
            if char == '"':
                self._at += 1
                return "".join([*result, quote])
            if char == "$":
                result.append(self._variable())
            elif char == self._escape:
                result.append(self._escaped_in_quotes())
            else:
                self._at += 1
                result.append(char)
        raise ExpansionFailed("unexpected end of statement while looking for matching double-quote")

    def _escaped_in_quotes(self) -> str:
        self._at += 1
        kept = self._escape if self._raw_escapes else ""
        following = self._peek()
        if not following:
            return kept
        if following in f'"${self._escape}':
            return kept + self._next()
        return kept + self._escape

    def _variable(self) -> str:
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            value = self._lookup(name)
            unset = value is None and self._quoting.skip_unset
            return f"${name}" if unset else self._counted(value or "")
        self._at += 1
        return self._counted(self._in_braces())

    def _counted(self, value: str) -> str:
        self._added += len(value)
        if self._added > MOST_ADDED:
            raise TooMuchAdded
        return value

    def _in_braces(self) -> str:
        if not self._peek():
            raise ExpansionFailed("syntax error: missing '}'")
        if self._peek() in "{}:":
            raise ExpansionFailed("syntax error: bad substitution")
        name = self._name()
        modifier = self._next()
        if modifier == "}":
            value = self._lookup(name)
            return f"${{{name}}}" if value is None and self._quoting.skip_unset else value or ""
        if modifier == "/":
            return self._replaced(name)
        colon = modifier == ":"
        operator = self._next() if colon else modifier
        unsupported = "#%" if colon else ":"
        if not operator:
            raise ExpansionFailed("syntax error: missing '}'")
        if operator in unsupported or not (colon or operator in "+-?#%"):
            raise _unsupported_modifier(colon, operator)
        word = self._argument("}", "syntax error: missing '}'", raw=operator in "#%")
        value = self._lookup(name)
        if value is None and self._quoting.skip_unset:
            return f"${{{name}{':' * colon}{operator}{word}}}"
        if operator not in "+-?#%":
            raise _unsupported_modifier(colon, operator)
        return _modified(name, value, operator, word, empty_is_unset=colon)

    def _replaced(self, name: str) -> str:
        everywhere = self._peek() == "/"
        self._at += everywhere
        pattern = self._argument("/", "syntax error: missing '/' in ${}", raw=True)
        replacement = self._argument("}", "syntax error: missing '}'", raw=True)
        value = self._lookup(name)
        if value is None and self._quoting.skip_unset:
            return f"${{{name}/{pattern}/{replacement}}}"
        try:
            most = MOST_ADDED - self._added
            return replace_matches(
                value or "", pattern, replacement, everywhere=everywhere, most=most
            )
        except TooLong:
            raise TooMuchAdded from None
        except BadEscape as error:
            raise _invalid_pattern(pattern, error) from None

    def _argument(self, stop: str, missing: str, *, raw: bool) -> str:
        self._arguments += 1
        try:
            return self.until(stop, raw_escapes=raw)[0]
        except ExpansionFailed:
            if self._at >= len(self._text):
                raise ExpansionFailed(missing) from None
            raise

    def _name(self) -> str:
        found = _NAME.match(self._text, self._at)
        if not found:
            return ""
        self._at = found.end()
        return found.group()

    def _lookup(self, name: str) -> str | None:
        value = self._env.get(name)
        (self.unmatched if value is None else self.matched).add(name)
        return value


def _modified(
    name: str, value: str | None, operator: str, word: str, *, empty_is_unset: bool
) -> str:
    """Return the value of ``${name<operator>word}``."""
    missing = value is None or (empty_is_unset and not value)
    text = value or ""
    match operator:
        case "-":
            return word if missing else text
        case "+":
            return "" if missing else word
        case "?" if missing:
            why = "unset" if value is None else "empty"
            raise ExpansionFailed(f"{name}: {word or f'is not allowed to be {why}'}")
        case "?":
            return text
    longest = word.startswith(operator)
    pattern = word[1:] if longest else word
    trim = trim_prefix if operator == "#" else trim_suffix
    try:
        return trim(text, pattern, longest=longest)
    except BadEscape as error:
        raise _invalid_pattern(pattern, error) from None


def _unsupported_modifier(colon: bool, operator: str) -> ExpansionFailed:
    return ExpansionFailed(f"unsupported modifier ({':' * colon}{operator}) in substitution")


def _invalid_pattern(pattern: str, error: BadEscape) -> ExpansionFailed:
    return ExpansionFailed(f"invalid pattern ({pattern}) in substitution: {error}")
