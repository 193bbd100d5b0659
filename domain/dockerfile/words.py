"""The words of an instruction's arguments, and the JSON form."""

import json
import re
from collections.abc import Iterator

from img.domain.errors import DockerfileError

_BLANKS = "\t\n\v\f\r "  # in keywords and flags, other blanks of Unicode are ordinary characters
_WHITESPACE = re.compile(r"[\t\v\f\r ]+")


class NotStringArray(DockerfileError):
    """A JSON array with items other than strings: neither exec form nor shell form."""

    def __init__(self) -> None:
        super().__init__("when using JSON array syntax, arrays must be comprised of strings only")


def parse_json_form(text: str) -> tuple[str, ...] | None:
    """Return the words of ``["a", "b"]``, None if ``text`` is no JSON array (shell form).

    Raises NotStringArray (Dockerfile reference, "Shell and exec form").
    """
    text = text.lstrip()
    if not text.startswith("["):
        return None
    try:
        values = json.loads(text, parse_int=str.__len__, parse_constant=_refuse_constant)
    except RecursionError:
        raise NotStringArray from None
    except ValueError:
        return None
    if not all(isinstance(value, str) for value in values):
        raise NotStringArray
    return tuple(_without_surrogates(value) for value in values)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # Python's json accepts NaN and Infinity, JSON does not


def _without_surrogates(value: str) -> str:
    """Return ``value`` with U+FFFD for halves of surrogate pairs, as in Go's JSON decoder."""
    return value if value.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", value)


def split_first(text: str) -> tuple[str, str]:
    """Return the first word and the rest, without the blanks around them."""
    parts = _WHITESPACE.split(text.strip(), maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def split_blanks(text: str) -> tuple[str, ...]:
    """Return the words between blanks; quotes are ordinary characters (FROM, EXPOSE, COPY)."""
    text = text.strip()
    return tuple(_WHITESPACE.split(text)) if text else ()


def split_flags(text: str, escape: str) -> tuple[tuple[str, ...], str]:
    """Return the leading ``--flags``, unquoted, and the rest; a single ``--`` ends the flags."""
    flags: list[str] = []
    at = 0
    while True:
        while at < len(text) and text[at] in _BLANKS:
            at += 1
        if not text.startswith("--", at):
            return tuple(flags), text[at:].strip()
        word, at, quoted = _flag_at(text, at, escape)
        if word == "--":
            return tuple(flags), text[at:].strip()
        if word or quoted:
            flags.append(word)


def _flag_at(text: str, at: int, escape: str) -> tuple[str, int, bool]:
    word: list[str] = []
    quote, quoted = "", False
    while at < len(text):
        char = text[at]
        if not quote and char in _BLANKS:
            break
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote, quoted = char, True
        elif char == escape:
            at += 1
            word += text[at : at + 1]
        else:
            word.append(char)
        at += 1
    return "".join(word), at, quoted


def split_quoted(text: str, escape: str) -> tuple[str, ...]:
    """Return the words of ENV, LABEL and ARG; quotes and escapes are kept as written."""
    return tuple(_quoted_words(text, escape))


_QUOTED_RUN = {
    "\\": re.compile(r"[^\s'\"\\]+"),
    "`": re.compile(r"[^\s'\"`]+"),
}


def _quoted_words(text: str, escape: str) -> Iterator[str]:
    word: list[str] = []
    at, quote, end = 0, "", len(text)
    while at < end:
        if not quote and (run := _QUOTED_RUN[escape].match(text, at)):
            word.append(run.group())
            at = run.end()
            continue
        char = text[at]
        if not quote and char.isspace():
            if word:
                yield "".join(word)
                word.clear()
        elif char == escape and quote != "'":
            # A backslash at the end is dropped.
            word.append(text[at : at + 2] if at + 1 < end else "")
            at += 1
        else:
            quote = char if not quote and char in "'\"" else "" if char == quote else quote
            word.append(char)
        at += 1
    if "".join(word):
        yield "".join(word)
