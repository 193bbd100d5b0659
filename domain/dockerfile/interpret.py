"""Conversion of raw instructions to typed ones, with BuildKit's errors.

Source: Dockerfile reference; BuildKit frontend/dockerfile/instructions/parse.go.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypedDict

from img.domain.dockerfile.flags import FLAGS, Flags, parse_flags
from img.domain.dockerfile.health import parse_healthcheck
from img.domain.dockerfile.heredoc import heredoc_opening
from img.domain.dockerfile.instructions import (
    Add,
    Arg,
    Argument,
    Cmd,
    Command,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Instruction,
    KeyValue,
    Label,
    Maintainer,
    OnBuild,
    Run,
    Shell,
    Stage,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from img.domain.dockerfile.mounts import parse_unexpanded_mount
from img.domain.dockerfile.raw import Heredoc, RawDockerfile, RawInstruction
from img.domain.dockerfile.source import statements_of
from img.domain.dockerfile.suggestion import did_you_mean
from img.domain.dockerfile.syntax import Syntax, take_apart
from img.domain.dockerfile.words import split_first
from img.domain.errors import DockerfileError
from img.domain.go.formatting import quoted

_STAGE_NAME = r"[a-z][a-z0-9-_.]*"


class _Located(TypedDict):
    lines: tuple[int, int]
    keyword: str
    original: str
    comments: tuple[str, ...]


def interpret(raw: RawDockerfile) -> Dockerfile:
    """Return the typed Dockerfile. Raises DockerfileError for the first invalid instruction."""
    return arrange(raw, interpret_each(raw))


def interpret_each(raw: RawDockerfile) -> Iterator[From | Instruction]:
    """Return an iterator over the typed instructions; it raises DockerfileError.

    Raises DockerfileError at once for invalid flags and heredocs.
    """
    # All are parsed before one is interpreted, so that errors come in BuildKit's order.
    parts = [take_apart(instruction, raw.escape) for instruction in raw.instructions]
    return map(_meaning, parts)


def arrange(raw: RawDockerfile, meant: Iterable[From | Instruction]) -> Dockerfile:
    """Return the Dockerfile of ``raw`` with its typed instructions. Raises DockerfileError."""
    meta_args: list[Arg] = []
    stages: list[Stage] = []
    start: From | None = None
    inside: list[Instruction] = []
    for each in meant:
        if isinstance(each, From):
            stages += _finished(start, inside, len(stages))
            start, inside = each, []
        elif start:
            inside.append(each)
        elif isinstance(each, Arg):
            meta_args.append(each)
        else:
            raise DockerfileError("no build stage in current context", lines=each.lines)
    stages += _finished(start, inside, len(stages))
    if not stages:
        last = raw.instructions[-1].lines if raw.instructions else (1, 1)
        raise DockerfileError("dockerfile contains no stages to build", lines=last)
    return Dockerfile(
        meta_args=tuple(meta_args),
        stages=tuple(stages),
        directives={directive.name: directive.value for directive in raw.directives},
        escape=raw.escape,
    )


def _finished(start: From | None, inside: list[Instruction], index: int) -> list[Stage]:
    return [Stage(start=start, instructions=tuple(inside), index=index)] if start else []


def interpret_instruction(raw: RawInstruction, escape: str = "\\") -> From | Instruction:
    """Return one typed instruction. Raises DockerfileError."""
    return _meaning(take_apart(raw, escape))


def interpret_onbuild(
    expression: str, escape: str = "\\", lines: tuple[int, int] = (1, 1)
) -> Instruction:
    """Return the instruction of a trigger; errors name ``lines``.

    Raises DockerfileError.
    """
    try:
        statements = tuple(statements_of(expression.split("\n"), escape))
    except DockerfileError as error:
        raise DockerfileError(error.message, lines=lines, hint=error.hint) from None
    if len(statements) != 1:
        raise DockerfileError("onbuild trigger should be a single expression", lines=lines)
    keyword, rest = split_first(statements[0].text)
    raw = RawInstruction(keyword=keyword, rest=rest, lines=lines, heredocs=statements[0].heredocs)
    meant = interpret_instruction(raw, escape)
    if isinstance(meant, From | OnBuild | Maintainer):
        raise DockerfileError(f"{keyword.upper()} isn't allowed as an ONBUILD trigger", lines=lines)
    return meant


def _meaning(part: Syntax) -> From | Instruction:
    try:
        interpreter = _INTERPRETERS.get(part.keyword)
        if not interpreter:
            raise DockerfileError(_unknown(part.raw.keyword))
        if check := _BEFORE_FLAGS.get(part.keyword):
            check(part)
        return interpreter(part, _flags_of(part))
    except DockerfileError as error:
        if error.lines:
            raise
        lines = part.raw.lines
        raise DockerfileError(
            f"dockerfile parse error on line {lines[0]}: {error.message}",
            lines=lines,
            hint=error.hint,
        ) from None


def _flags_of(part: Syntax) -> Flags:
    """Return the flags; some instructions ignore their flags, as in BuildKit."""
    unread = part.keyword in {"arg", "stopsignal"}
    if part.keyword == "healthcheck":
        unread = "".join(part.arguments.words[:1]).upper() == "NONE"
    return Flags() if unread else parse_flags(part.flags, FLAGS.get(part.keyword, {}))


def _unknown(keyword: str) -> str:
    known = did_you_mean(keyword, [name.upper() for name in _INTERPRETERS], case_sensitive=False)
    return f"unknown instruction: {keyword}{known}"


def _located(part: Syntax) -> _Located:
    raw = part.raw
    return _Located(
        lines=raw.lines,
        keyword=raw.keyword,
        original=f"{raw.keyword} {raw.rest}".rstrip(),
        comments=raw.comments,
    )


def _at_least_one(part: Syntax) -> tuple[str, ...]:
    if not part.arguments.words:
        raise DockerfileError(f"{part.keyword.upper()} requires at least one argument")
    return part.arguments.words


def _exactly_one(part: Syntax) -> str:
    if len(part.arguments.words) != 1:
        raise DockerfileError(f"{part.keyword.upper()} requires exactly one argument")
    return part.arguments.words[0]


def _stage_words(part: Syntax) -> tuple[str, str, str]:
    """Return the base, the word AS and the stage's name; the last two may be ""."""
    words = part.arguments.words
    named = len(words) == 3 and words[1].lower() == "as"
    if named and not re.fullmatch(_STAGE_NAME, words[2].lower()):
        raise DockerfileError(
            f"invalid name for build stage: {quoted(words[2])}, name can't start with a number or "
            "contain symbols"
        )
    if not named and len(words) != 1:
        raise DockerfileError("FROM requires either one or three arguments")
    return (words[0], words[1], words[2]) if named else (words[0], "", "")


def _from(part: Syntax, flags: Flags) -> From:
    base, keyword, name = _stage_words(part)
    return From(
        **_located(part),
        base=base,
        name=name.lower(),
        platform=flags.text("platform"),
        name_as_written=name,
        as_keyword=keyword,
    )


def _command(part: Syntax) -> Command:
    arguments = part.arguments
    return Command(words=arguments.words, shell=not arguments.json, heredocs=part.raw.heredocs)


def _run(part: Syntax, flags: Flags) -> Run:
    for device in flags.texts("device"):
        from img.domain.dockerfile.devices import check_device  # few files have one

        check_device(device)
    mounts = tuple(parse_unexpanded_mount(each, part.raw.lines) for each in flags.texts("mount"))
    network, security = flags.text("network"), flags.text("security")
    if "network" in flags.values and network not in ("default", "none", "host"):
        raise DockerfileError(f"invalid network mode {quoted(network)}")
    if "security" in flags.values and security not in ("sandbox", "insecure"):
        raise DockerfileError(f"security {quoted(security)} is not valid")
    return Run(
        **_located(part),
        command=_command(part),
        mounts=mounts,
        mount_words=flags.texts("mount"),
        network=network,
        security=security,
        devices=flags.texts("device"),
        flags=tuple(sorted(flags.values)),
    )


def _at_least_two(part: Syntax) -> tuple[str, ...]:
    if len(part.arguments.words) < 2:
        raise DockerfileError(
            f"{part.keyword.upper()} requires at least two arguments, but only one was provided. "
            "Destination could not be determined"
        )
    return part.arguments.words


def _sources_and_destination(
    part: Syntax,
) -> tuple[tuple[str, ...], tuple[Heredoc, ...], str]:
    *sources, destination = _at_least_two(part)
    if heredoc_opening(destination):
        raise DockerfileError(f"{part.keyword.upper()} cannot accept a heredoc as a destination")
    # Of several bodies with one name, the last one is the content of each (BuildKit).
    bodies = {heredoc.name: heredoc.as_written for heredoc in part.raw.heredocs}
    paths: list[str] = []
    heredocs: list[Heredoc] = []
    for source in sources:
        opening = heredoc_opening(source)
        if opening:
            heredocs.append(opening.with_body(bodies.get(opening.name, "")))
        else:
            paths.append(source)
    return tuple(paths), tuple(heredocs), destination


def _copy(part: Syntax, flags: Flags) -> Copy:
    sources, heredocs, destination = _sources_and_destination(part)
    return Copy(
        **_located(part),
        sources=sources,
        heredocs=heredocs,
        destination=destination,
        from_=flags.text("from"),
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=flags.boolean("link") or False,
        parents=flags.boolean("parents") or False,
        exclude=flags.texts("exclude"),
    )


def _add(part: Syntax, flags: Flags) -> Add:
    sources, heredocs, destination = _sources_and_destination(part)
    return Add(
        **_located(part),
        sources=sources,
        heredocs=heredocs,
        destination=destination,
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=flags.boolean("link") or False,
        exclude=flags.texts("exclude"),
        checksum=flags.text("checksum"),
        keep_git_dir=flags.boolean("keep-git-dir"),
        unpack=flags.boolean("unpack"),
    )


def _pairs(part: Syntax) -> tuple[KeyValue, ...]:
    pairs = part.arguments.pairs
    if not pairs:
        raise DockerfileError(f"{part.keyword.upper()} requires at least one argument")
    if not all(name for name, _, _ in pairs):
        raise DockerfileError(f"{part.keyword.upper()} names can not be blank")
    return tuple(KeyValue(key=name, value=value, legacy=not sign) for name, value, sign in pairs)


def _arg(part: Syntax, _flags: Flags) -> Arg:
    return Arg(
        **_located(part), arguments=tuple(_argument(word, part) for word in _at_least_one(part))
    )


def _argument(word: str, part: Syntax) -> Argument:
    name, sign, default = word.partition("=")
    if not name:
        raise DockerfileError("ARG names can not be blank")
    return Argument(
        name=name,
        default=default if sign else None,
        description=_description(name, part.raw.comments),
    )


def _description(name: str, comments: tuple[str, ...]) -> str:
    """Return the text of the comment ``# NAME text`` above the instruction (--call=outline)."""
    for comment in comments:
        if comment.startswith(f"{name} "):
            return comment.removeprefix(f"{name} ")
    return ""


def _shell(part: Syntax, _flags: Flags) -> Shell:
    words = _at_least_one(part)
    if not part.arguments.json:
        raise DockerfileError("SHELL requires the arguments to be in JSON form")
    return Shell(**_located(part), words=words)


def _volume(part: Syntax, _flags: Flags) -> Volume:
    paths = tuple(path.strip() for path in _at_least_one(part))
    if not all(paths):
        raise DockerfileError("VOLUME specified can not be an empty string")
    return Volume(**_located(part), paths=paths)


def _trigger(part: Syntax) -> Syntax:
    if not part.trigger:
        raise DockerfileError("ONBUILD requires at least one argument")
    return part.trigger


def _onbuild(part: Syntax, _flags: Flags) -> OnBuild:
    trigger = _trigger(part).raw.keyword.upper()
    if trigger == "ONBUILD":
        raise DockerfileError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in ("FROM", "MAINTAINER"):
        raise DockerfileError(f"{trigger} isn't allowed as an ONBUILD trigger")
    bodies = "".join(f"\n{each.as_written}{each.name}" for each in part.raw.heredocs)
    return OnBuild(**_located(part), expression=part.raw.rest + part.raw.trailing + bodies)


def _healthcheck(part: Syntax, flags: Flags) -> Healthcheck:
    return parse_healthcheck(_at_least_one(part), part.arguments.json, flags, **_located(part))


_INTERPRETERS: Mapping[str, Callable[[Syntax, Flags], From | Instruction]] = {
    "add": _add,
    "arg": _arg,
    "cmd": lambda part, _: Cmd(**_located(part), command=_command(part)),
    "copy": _copy,
    "entrypoint": lambda part, _: Entrypoint(**_located(part), command=_command(part)),
    "env": lambda part, _: Env(**_located(part), pairs=_pairs(part)),
    "expose": lambda part, _: Expose(**_located(part), ports=tuple(sorted(_at_least_one(part)))),
    "from": _from,
    "healthcheck": _healthcheck,
    "label": lambda part, _: Label(**_located(part), pairs=_pairs(part)),
    "maintainer": lambda part, _: Maintainer(**_located(part), name=_exactly_one(part)),
    "onbuild": _onbuild,
    "run": _run,
    "shell": _shell,
    "stopsignal": lambda part, _: StopSignal(**_located(part), signal=_exactly_one(part)),
    "user": lambda part, _: User(**_located(part), user=_exactly_one(part)),
    "volume": _volume,
    "workdir": lambda part, _: Workdir(**_located(part), path=_exactly_one(part)),
}
# Of the other instructions, BuildKit reads the flags first.
_BEFORE_FLAGS: Mapping[str, Callable[[Syntax], object]] = {
    "add": _at_least_two,
    "copy": _at_least_two,
    "expose": _at_least_one,
    "from": _stage_words,
    "healthcheck": _at_least_one,
    "maintainer": _exactly_one,
    "onbuild": _trigger,
    "user": _exactly_one,
    "volume": _at_least_one,
    "workdir": _exactly_one,
}
