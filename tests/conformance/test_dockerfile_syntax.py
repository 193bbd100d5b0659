"""Whole Dockerfiles against BuildKit's parser and its typed instructions, one table a test.

The tables are data of their own; $IMG_CONFORMANCE names the directory that holds them.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.domain.dockerfile.instructions import (
    Add,
    Arg,
    Cmd,
    Command,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    OnBuild,
    Run,
    RunMount,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from img.domain.dockerfile.interpret import interpret
from img.domain.dockerfile.mounts import parse_mount
from img.domain.dockerfile.raw import Heredoc, RawDockerfile, RawInstruction
from img.domain.dockerfile.syntax import Syntax, take_apart
from img.domain.errors import DockerfileError
from tests.support.conformance_tables import Row, is_there, table_rows
from tests.support.host.machine import CONFORMANCE

# BuildKit's linter crashed in the program that made the table; BuildKit builds these files.
CRASHED = "PANIC"
NO_LINE = [[0, 0]]

pytestmark = pytest.mark.skipif(
    not is_there(), reason="$IMG_CONFORMANCE names no conformance tables"
)


def rows(table: str) -> tuple[Row, ...]:
    found = table_rows(table)
    assert found, f"{table} is empty"
    return found


def parse(text: str) -> RawDockerfile:
    return DockerfileParseParser().parse(text.encode())


def understood(text: str) -> Dockerfile:
    return interpret(parse(text))


# --- the syntax tree


def dump(text: str) -> str:
    raw = parse(text)
    return "\n".join(s_expression(take_apart(each, raw.escape)) for each in raw.instructions)


def s_expression(part: Syntax) -> str:
    return f"({' '.join((part.keyword, *arguments_of(part))).strip()})"


def arguments_of(part: Syntax) -> Iterator[str]:
    if part.flags:
        yield f"[{' '.join(map(quoted, part.flags))}]"
    if part.trigger:
        yield s_expression(part.trigger)
    elif part.arguments.pairs:
        yield from (quoted(text) for pair in part.arguments.pairs for text in pair)
    elif part.keyword in KNOWN:
        yield from map(quoted, part.arguments.words)
    else:
        yield '""'


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


NAMES = (
    "add arg cmd copy entrypoint env expose from healthcheck label maintainer onbuild run shell "
    "stopsignal user volume workdir"
)
KNOWN = frozenset(NAMES.split())


def node_of(raw: RawInstruction) -> Row:
    return {
        "lines": list(raw.lines),
        "comment": list(raw.comments),
        "heredocs": [heredoc_of(each) for each in raw.heredocs],
    }


def heredoc_of(heredoc: Heredoc) -> Row:
    return {
        "Name": heredoc.name,
        "FileDescriptor": heredoc.descriptor,
        "Expand": heredoc.expand,
        "Chomp": heredoc.chomp,
        "Content": heredoc.as_written,
    }


def test_the_syntax_tree_is_buildkits() -> None:
    wrong = []
    for row in rows("dockerfile_ast"):
        expect = row["expect"]
        raw = parse(row["dockerfile"])
        want = [{"comment": [], "heredocs": [], **node} for node in expect["nodes"]]
        blanks = set(raw.empty_continuations)
        warned = [
            [each.lines[1]] * 2
            for each in raw.instructions
            if blanks & set(range(each.lines[0], each.lines[1] + 1))
        ]
        if (
            dump(row["dockerfile"]) != expect["dump"]
            or [node_of(each) for each in raw.instructions] != want
            or raw.escape != expect["escape"]
            or warned != [warning["line"] for warning in expect["warnings"]]
        ):
            wrong.append(row["id"])
    assert not wrong


def test_real_dockerfiles_are_read() -> None:
    wrong = []
    for row in rows("real_dockerfiles"):
        if dump(row["dockerfile"]) != row["dump"]:
            wrong.append(row["id"])
        if row.get("stages") and stages_of(understood(row["dockerfile"])) != row["stages"]:
            wrong.append(row["id"])
    assert not wrong


def stages_of(dockerfile: Dockerfile) -> list[Row]:
    return [
        {
            "name": stage.start.name,
            "base": stage.start.base,
            "platform": stage.start.platform,
            "instructions": [each.keyword for each in stage.instructions],
        }
        for stage in dockerfile.stages
    ]


def test_parser_files_give_their_results() -> None:
    directories = sorted((CONFORMANCE / "parser" / "testfiles").iterdir())
    assert directories
    wrong = [
        directory.name
        for directory in directories
        if dump((directory / "Dockerfile").read_text("utf-8"))
        != (directory / "result").read_text("utf-8").rstrip("\n")
    ]
    assert not wrong


def test_bad_parser_files_are_refused() -> None:
    directories = sorted((CONFORMANCE / "parser" / "testfiles-negative").iterdir())
    assert directories
    for directory in directories:
        with pytest.raises(DockerfileError):
            understood((directory / "Dockerfile").read_text("utf-8"))


def test_instructions_know_their_lines() -> None:
    directory = CONFORMANCE / "parser" / "testfile-line"
    expect = json.loads((directory / "expected.json").read_text("utf-8"))
    raw = parse((directory / "Dockerfile").read_text("utf-8"))
    assert [list(each.lines) for each in raw.instructions] == expect["instruction_lines"]


# --- typed instructions


def test_instructions_have_buildkits_fields() -> None:
    wrong = []
    for row in rows("dockerfile_instructions"):
        expect = row["expect"]
        try:
            dockerfile = understood(row["dockerfile"])
        except DockerfileError as error:
            if expect["stages"] or "no stages" not in error.message:
                wrong.append(f"{row['id']}: {error}")
            continue  # BuildKit finds out later that there is nothing to build
        got = [
            {
                "name": stage.start.name,
                "base": stage.start.base,
                "platform": stage.start.platform,
                "lines": list(stage.start.lines),
                "commands": [fields_of(each) for each in stage.instructions],
            }
            for stage in dockerfile.stages
        ]
        want = [
            {
                **stage,
                "lines": span(stage["lines"]),
                "commands": [without_zeros(each) for each in stage.get("commands") or ()],
            }
            for stage in expect["stages"]
        ]
        meta_args = [without_zeros(each) for each in expect.get("meta_args") or ()]
        if got != want or [fields_of(each) for each in dockerfile.meta_args] != meta_args:
            wrong.append(f"{row['id']}: {got}, not {want}")
    assert not wrong


def span(lines: list[list[int]]) -> list[int]:
    return [lines[0][0], lines[-1][1]]


def without_zeros(fields: Mapping[str, Any]) -> Row:
    kept = {name: value for name, value in fields.items() if value not in (None, False, [], "")}
    kept["lines"] = span(kept["lines"])
    for name in ("FlagsUsed", "Ports"):  # their order is that of a Go map
        if name in kept:
            kept[name] = sorted(kept[name])
    return kept


def fields_of(instruction: Instruction) -> Row:
    fields = {"name": instruction.keyword, **own_fields_of(instruction)}
    return without_zeros({**fields, "lines": [list(instruction.lines)]})


def own_fields_of(instruction: Instruction) -> Row:
    match instruction:
        case Run():
            return run_fields(instruction)
        case Cmd() | Entrypoint():
            return command_fields(instruction.command)
        case Copy() | Add():
            return copy_fields(instruction)
        case Env() | Label():
            pairs = [
                {"Key": each.key, "Value": each.value, "NoDelim": each.legacy}
                for each in instruction.pairs
            ]
            return {"Env" if isinstance(instruction, Env) else "Labels": pairs}
        case Arg():
            return {
                "Args": [
                    {"Key": each.name, "Value": each.default, "DocComment": each.description}
                    for each in instruction.arguments
                ]
            }
        case Workdir():
            return {"Path": instruction.path}
        case User():
            return {"User": instruction.user}
        case Shell():
            return {"Shell": list(instruction.words)}
        case Expose():
            return {"Ports": list(instruction.ports)}
        case Volume():
            return {"Volumes": list(instruction.paths)}
        case StopSignal():
            return {"Signal": instruction.signal}
        case Healthcheck():
            return {"Health": health_fields(instruction)}
        case OnBuild():
            return {"Expression": instruction.expression}
        case Maintainer():
            return {"Maintainer": instruction.name}


def command_fields(command: Command) -> Row:
    return {"CmdLine": list(command.words), "PrependShell": command.shell}


def run_fields(run: Run) -> Row:
    return {
        **command_fields(run.command),
        "Files": [
            {"Name": each.name, "Data": each.as_written, "Chomp": each.chomp}
            for each in run.command.heredocs
        ],
        "FlagsUsed": list(run.flags),
        "Network": run.network.replace("default", ""),
        "Security": run.security.replace("sandbox", ""),
        "Devices": [
            {"Name": each.split(",")[0], "Required": each.endswith(",required")}
            for each in run.devices
        ],
        "Mounts": [mount_fields(each) for each in run.mounts],
    }


def mount_fields(mount: RunMount) -> Row:
    read_only = mount.read_only
    return {
        "Type": mount.type,
        "From": mount.from_,
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.type in ("bind", "secret", "ssh") if read_only is None else read_only,
        "SizeLimit": mount.size,
        "CacheID": mount.id,
        "CacheSharing": mount.sharing,
        "Required": mount.required,
        "Env": mount.env,
        "Mode": mount.mode,
        "UID": mount.uid,
        "GID": mount.gid,
    }


def copy_fields(copy: Copy | Add) -> Row:
    fields = {
        "DestPath": copy.destination,
        "SourcePaths": list(copy.sources),
        "SourceContents": [
            {"Path": each.name, "Data": each.content, "Expand": each.expand}
            for each in copy.heredocs
        ],
        "Chown": copy.chown,
        "Chmod": copy.chmod,
        "Link": copy.link,
        "ExcludePatterns": list(copy.exclude),
    }
    if isinstance(copy, Copy):
        return {**fields, "From": copy.from_, "Parents": copy.parents}
    own = {"Checksum": copy.checksum, "KeepGitDir": copy.keep_git_dir, "Unpack": copy.unpack}
    return {**fields, **own}


def health_fields(check: Healthcheck) -> Row:
    fields = {
        "Test": list(check.test),
        "Interval": check.interval,
        "Timeout": check.timeout,
        "StartPeriod": check.start_period,
        "StartInterval": check.start_interval,
        "Retries": check.retries,
    }
    return {name: value for name, value in fields.items() if value}


# --- errors


def test_bad_dockerfiles_are_refused_in_buildkits_words() -> None:
    wrong = []
    for row in rows("dockerfile_errors"):
        if row["error"].startswith(CRASHED):
            continue
        error = refusal_of(row["dockerfile"])
        if error is None or error.lines is None:
            wrong.append(f"{row['id']}: accepted, or without lines")
        elif error.message != row["error"]:
            wrong.append(f"{row['id']}: {error.message}, not {row['error']}")
        elif row["lines"] not in (None, NO_LINE) and not any(
            first <= error.lines[0] <= last for first, last in row["lines"]
        ):
            wrong.append(f"{row['id']}: at {error.lines}, not {row['lines']}")
    assert not wrong


def refusal_of(text: str) -> DockerfileError | None:
    try:
        dockerfile = understood(text)
        for stage in dockerfile.stages:
            for each in stage.instructions:
                if isinstance(each, Run):  # the table's program expands no variables
                    for mount in each.mount_words:
                        parse_mount(mount, lines=each.lines)
    except DockerfileError as error:
        return error
    return None
