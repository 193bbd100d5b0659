"""Every answer of buildx in the tables of bake: definitions, prints, lists and errors."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from img.adapters.clock.fixed import FixedClock
from img.adapters.definition_files.compose import read_compose
from img.adapters.definition_files.memory import MemoryDefinitionFiles
from img.application.usecases.read_bake import ReadBakeDefinition, Surrounding
from img.domain.bake.definition.checks import checked
from img.domain.bake.definition.flags import (
    Flags,
    check_allowed,
    overrides_of,
    parse_listing,
    parse_variables,
)
from img.domain.bake.definition.plan import plan
from img.domain.bake.definition.printing import list_targets, list_variables, print_plan
from img.domain.bake.errors import BakeError, BakeSyntaxError
from img.domain.platform import Platform
from img.entrypoints.cli import app
from img.entrypoints.cli.session import Session
from tests.support.host.machine import REPOSITORY, conformance

HOST = Platform("linux", "amd64")
NOW = datetime.fromtimestamp(1_700_000_000, UTC)
Row = dict[str, Any]
_LOOSE = {
    "output-check-bad-quote",  # the column inside of a list
}


class _Misused(Exception):
    """A row about options that bake does not have, or about their values."""


def _files(row: Row) -> MemoryDefinitionFiles:
    contents = {name: text.encode() for name, text in row["files"].items()}
    for name, text in row.get("files_b64", {}).items():
        contents[name] = base64.b64decode(text)
    if "stdin" in row:
        contents["-"] = row["stdin"].encode()
    return MemoryDefinitionFiles(
        contents, directories=row.get("dirs", []), sockets=row.get("sockets", [])
    )


class _Arguments:
    """The arguments of a row."""

    def __init__(self, row: Row) -> None:
        self.files: list[str] = []
        self.names: list[str] = []
        self.overrides: list[str] = []
        self.given: list[str] = []
        self.allowed: list[str] = []
        self.listed = ""
        self._flags: dict[str, Any] = {}
        words: Iterator[str] = iter(row["args"])
        for word in words:
            name, _, value = word.partition("=")
            if word in ("-f", "--file"):
                self.files.append(next(words))
            elif name == "--file":
                self.files.append(value)
            elif word == "--set":
                self.overrides.append(next(words))
            elif word == "--var":
                self.given.append(next(words))
            elif word == "--policy":
                self._flags["policies"] = (*self._flags.get("policies", ()), next(words))
            elif word == "--allow":
                self.allowed.append(next(words))
            elif word in ("--push", "--load"):
                self._flags[word[2:]] = True
            elif name in ("--no-cache", "--pull"):
                self._flags[name[2:].replace("-", "_")] = value or "true"
            elif name in ("--provenance", "--sbom", "--call"):
                self._flags[name[2:]] = value or next(words)
            elif name == "--check":
                self._flags["call"] = "" if value == "false" else "check"
            elif name == "--list" or word in ("--list-targets", "--list-variables"):
                self.listed = value or word[7:] or "targets"
            elif word in ("--metadata-file", "--progress"):
                if next(words) == "foo":
                    raise _Misused
            elif word == "--":
                self.names.extend(words)
            elif word.startswith("-") and word not in ("--print", "-D"):
                raise _Misused
            elif not word.startswith("-"):
                self.names.append(word)
        self.flags = Flags(**self._flags)


def _answer(row: Row) -> tuple[str, Any, str | None]:
    arguments, files = _Arguments(row), _files(row)
    environment = {"PATH": "/bin", "HOME": "/home/user", **row["env"]}
    read = ReadBakeDefinition(files=files, read_yaml=read_compose, clock=FixedClock(NOW))
    try:
        listing = parse_listing(arguments.listed) if arguments.listed else None
        variables = parse_variables(arguments.given)
        for text in arguments.allowed:
            check_allowed(text)
        around = Surrounding(environment=environment, home="/home/user", host=HOST)
        definition = read(arguments.files, variables, around)
        if listing:
            show = list_variables if listing.variables else list_targets
            return "stdout", show(definition, as_json=listing.as_json), None
        overrides = (*arguments.overrides, *overrides_of(arguments.flags))
        found = plan(definition, arguments.names, overrides, environment)
        return "expect", print_plan(checked(found, files, environment, HOST)), None
    except BakeError as error:
        where = error.excerpt.partition("\n")[0] if isinstance(error, BakeSyntaxError) else None
        return "error", error.message, where


def _as_sets(value: Any) -> Any:
    if isinstance(value, list):
        return sorted((_as_sets(item) for item in value), key=repr)
    if isinstance(value, dict):
        return {key: _as_sets(item) for key, item in value.items()}
    return value


def _fits(row: Row, wanted: Row, kind: str, found: Any, where: str | None) -> bool:
    if kind == "error":
        if row.get("buildx_panics"):
            return True
        if "error" not in wanted:
            return False
        text = re.sub(r", and \d+ other diagnostic\(s\)", "", wanted["error"])
        if row["id"].startswith("compose") or row["id"] in _LOOSE:
            return True  # that it is refused is what matters: the words are those of libraries
        return bool(found == text) and where == wanted.get("where")
    if kind == "stdout" or "expect" not in wanted:
        return bool(found == wanted.get(kind))
    if row.get("unordered"):
        return bool(_as_sets(json.loads(found)) == _as_sets(wanted["expect"]))
    return bool(found == _printed(wanted["expect"]))


def _printed(document: Any) -> str:
    """Return a document as buildx prints it: with the marks of HTML escaped."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return text.translate({ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


def _rows() -> list[Row]:
    files = [conformance("bake", f"{table}.jsonl") for table in ("bake", "public")]
    lines = [line for file in files for line in file.read_text("utf-8").split("\n") if line]
    return [json.loads(line) for line in lines]


def _other_answers() -> set[str]:
    """Return the rows that img answers otherwise, from the comments beside the reasons."""
    text = (REPOSITORY / "docs/bake.md").read_text()
    return {name for names in re.findall(r"<!-- rows: ([^>]*) -->", text) for name in names.split()}


def _refusal(arguments: list[str]) -> str:
    """Return the error of a command line that is refused before anything is read."""
    words = ["bake", *arguments]
    try:
        app.invoke(words, Session())
    except Exception as problem:
        return str(app.misuse_of(problem, words) or problem)
    return ""


def test_definitions_are_answered_as_by_buildx() -> None:
    rows = _rows()
    others = _other_answers()
    wrong: dict[str, object] = {}
    for row in rows:
        try:
            kind, found, where = _answer(row)
        except _Misused:
            refusal = _refusal(row["args"])
            if not refusal or not row["exit"]:
                wrong[row["id"]] = refusal
            continue
        wanted = row.get("any_of") or [row]
        fits = any(_fits(row, each, kind, found, where) for each in wanted)
        if fits == (row["id"] in others):
            wrong[row["id"]] = (kind, found, where)

    assert not wrong
    assert others <= {row["id"] for row in rows}
