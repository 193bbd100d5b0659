"""The syntax of an instruction's arguments: BuildKit's syntax tree.

Source: BuildKit frontend/dockerfile/parser/line_parsers.go.
"""

from collections.abc import Callable

from img.domain.dataclass import dataclass
from img.domain.dockerfile.raw import RawInstruction
from img.domain.dockerfile.words import (
    parse_json_form,
    split_blanks,
    split_first,
    split_flags,
    split_quoted,
)
from img.domain.errors import DockerfileError
from img.domain.go.formatting import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The arguments after a keyword. ``pairs`` are (name, value, "=" or "") of ENV and LABEL."""

    words: tuple[str, ...] = ()
    json: bool = False
    pairs: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """The syntax of one instruction."""

    raw: RawInstruction
    keyword: str  # lower case
    flags: tuple[str, ...]
    arguments: Arguments
    trigger: "Syntax | None" = None  # the instruction inside ONBUILD


def take_apart(raw: RawInstruction, escape: str) -> Syntax:
    """Return the syntax of ``raw``: flags and arguments. Raises DockerfileError."""
    keyword = raw.keyword.lower()
    flags, rest = split_flags(raw.rest, escape)
    try:
        return Syntax(
            raw=raw,
            keyword=keyword,
            flags=flags,
            arguments=_arguments(keyword, rest, escape),
            trigger=_trigger(raw, rest, escape) if keyword == "onbuild" and rest else None,
        )
    except DockerfileError as error:
        raise DockerfileError(error.message, lines=raw.lines, hint=error.hint) from None


def _arguments(keyword: str, rest: str, escape: str) -> Arguments:
    parse = _PARSERS.get(keyword)
    return parse(rest, keyword, escape) if parse and rest else Arguments()


def _trigger(raw: RawInstruction, rest: str, escape: str) -> Syntax:
    keyword, arguments = split_first(rest)
    inner = RawInstruction(keyword=keyword, rest=arguments, lines=raw.lines, heredocs=raw.heredocs)
    return take_apart(inner, escape)


def _one_text(rest: str, _keyword: str, _escape: str) -> Arguments:
    return Arguments(words=(rest,))


def _blank_separated(rest: str, _keyword: str, _escape: str) -> Arguments:
    return Arguments(words=split_blanks(rest))


def _json_words(rest: str) -> tuple[str, ...] | None:
    words = parse_json_form(rest)
    if words is not None and any("\0" in word for word in words):
        raise DockerfileError("a word of the JSON array holds a NUL character")
    return words


def _json_or_text(rest: str, _keyword: str, _escape: str) -> Arguments:
    words = _json_words(rest)
    return Arguments(words=(rest,)) if words is None else Arguments(words=words, json=True)


def _json_or_list(rest: str, _keyword: str, _escape: str) -> Arguments:
    words = _json_words(rest)
    return (
        Arguments(words=split_blanks(rest)) if words is None else Arguments(words=words, json=True)
    )


def _names(rest: str, _keyword: str, escape: str) -> Arguments:
    return Arguments(words=split_quoted(rest, escape))


def _health_check(rest: str, keyword: str, escape: str) -> Arguments:
    kind, command = split_first(rest)
    inner = _json_or_text(command, keyword, escape) if command else Arguments()
    return Arguments(words=(kind, *inner.words), json=inner.json)


def _name_values(rest: str, keyword: str, escape: str) -> Arguments:
    """Return pairs if the first word has a ``=``, else one pair of the old form, NAME text."""
    words = split_quoted(rest, escape)
    if not words:
        return Arguments()
    if "=" not in words[0]:
        name, value = split_first(rest)
        if not value:
            raise DockerfileError(f"{keyword.upper()} must have two arguments")
        return Arguments(pairs=((name, value, ""),))
    return Arguments(pairs=tuple(_pair(word) for word in words))


def _pair(word: str) -> tuple[str, str, str]:
    name, sign, value = word.partition("=")
    if not sign:
        raise DockerfileError(
            f"Syntax error - can't find = in {quoted(word)}. Must be of the form: name=value"
        )
    return name, value, sign


_PARSERS: dict[str, Callable[[str, str, str], Arguments]] = {
    "add": _json_or_list,
    "arg": _names,
    "cmd": _json_or_text,
    "copy": _json_or_list,
    "entrypoint": _json_or_text,
    "env": _name_values,
    "expose": _blank_separated,
    "from": _blank_separated,
    "healthcheck": _health_check,
    "label": _name_values,
    "maintainer": _one_text,
    "run": _json_or_text,
    "shell": _json_or_text,
    "stopsignal": _one_text,
    "user": _one_text,
    "volume": _json_or_list,
    "workdir": _one_text,
}
