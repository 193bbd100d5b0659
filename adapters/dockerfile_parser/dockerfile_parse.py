"""The dockerfile-parse package as a reader of Dockerfile lines."""

from collections.abc import Sequence
from io import StringIO
from typing import TypedDict, cast

from img.application.ports.dockerfile_parser import DockerfileParser
from img.domain.dockerfile.directives import escape_of, find_directive, read_directives
from img.domain.dockerfile.raw import Directive, RawDockerfile, RawInstruction
from img.domain.dockerfile.source import (
    Statement,
    check_line_count,
    check_line_lengths,
    check_no_nul,
    plain_lines,
    statements_of,
    without_guard,
)
from img.domain.dockerfile.words import split_first
from img.domain.errors import DockerfileError


class _Line(TypedDict):
    """One entry of the package's ``structure``."""

    startline: int  # from 0
    content: str
    value: str


class DockerfileParseParser(DockerfileParser):
    """A parser of instructions and comments, based on dockerfile-parse.

    The package does not support here-documents, ends an instruction at a blank line within it and
    drops one that the end of the file truncates; so these are taken out of its input. Line numbers
    stay the same.
    """

    def parse(self, content: bytes) -> RawDockerfile:
        text = content.decode("utf-8", errors="replace").removeprefix("\ufeff")
        if not text:
            raise DockerfileError("the Dockerfile cannot be empty", lines=(1, 1))
        check_line_count(text)
        lines = text.removesuffix("\n").split("\n")
        check_line_lengths(lines)
        directives = _directives(text, lines)
        escape = escape_of(directives)
        statements = tuple(statements_of(lines, escape))
        _check_encoding(content, text, statements)
        check_no_nul(statements)
        if not statements:
            raise DockerfileError("file with no instructions", lines=(len(lines), len(lines)))
        return RawDockerfile(
            instructions=_instructions(
                _read(plain_lines(lines, statements)), statements, directives
            ),
            directives=directives,
            escape=escape,
            empty_continuations=tuple(n for each in statements for n in each.blank_lines),
        )


def _check_encoding(content: bytes, text: str, statements: Sequence[Statement]) -> None:
    """Raise DockerfileError for bytes that are not UTF-8, except in comments."""
    if "\ufffd" not in text:
        return
    broken = {number for number, line in enumerate(content.split(b"\n"), 1) if not _is_utf8(line)}
    for statement in statements:
        if not broken.isdisjoint(statement.text_lines):
            raise DockerfileError(
                "the instruction is not valid UTF-8",
                lines=statement.lines,
                hint="save the Dockerfile in UTF-8",
            )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _directives(text: str, lines: Sequence[str]) -> tuple[Directive, ...]:
    """Return the directives at the top, also below a ``#!`` line, as BuildKit does."""
    found = {each.name: each for each in read_directives([line.lstrip() for line in lines[:4]])}
    for name in ("syntax", "check"):
        if name not in found and (directive := find_directive(name, text)):
            found[name] = directive
    return tuple(sorted(found.values(), key=lambda each: each.line))


def _read(plain: Sequence[str]) -> list[_Line]:
    from dockerfile_parse import DockerfileParser as LineReader

    # A comment first: the package then looks for no directives of its own.
    text = "\n".join(["#", *plain, ""])
    # No cache: nothing is written back, and the cache would split lines at form feeds.
    reader = LineReader(fileobj=StringIO(text), cache_content=False, env_replace=False)
    return cast(list[_Line], reader.structure)


def _instructions(
    read: Sequence[_Line], statements: Sequence[Statement], directives: Sequence[Directive]
) -> tuple[RawInstruction, ...]:
    by_line = {statement.lines[0]: statement for statement in statements}
    no_comments = {0} | {directive.line for directive in directives}
    for statement in statements:
        no_comments.update(range(statement.lines[0] + 1, statement.lines[1] + 1))
    instructions: list[RawInstruction] = []
    comments: list[str] = []
    for line in read:
        number = line["startline"]  # from 0, but one line was inserted above: so from 1
        # Not the package's own flag: it is also set for an instruction called "comment".
        if not line["content"].lstrip().startswith("#"):
            instructions.append(_instruction(line, by_line[number], tuple(comments)))
            comments.clear()
        elif number in no_comments:
            continue
        elif comment := line["content"][1:].strip():  # as BuildKit: "  # x" is the comment "# x"
            comments.append(comment)
        else:  # an empty comment separates earlier ones from the instruction; a blank line does not
            comments.clear()
    return tuple(instructions)


def _instruction(line: _Line, statement: Statement, comments: tuple[str, ...]) -> RawInstruction:
    return RawInstruction(
        keyword=without_guard(split_first(line["content"])[0]),
        rest=without_guard(line["value"]).strip(),
        trailing=statement.trailing,
        lines=statement.lines,
        heredocs=statement.heredocs,
        comments=comments,
    )
