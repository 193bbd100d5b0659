"""Definitions are read, merged and printed as buildx does it."""

import base64
import json
import posixpath
import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from img.domain.bake.compose.interpolation import read_dotenv
from img.domain.bake.compose.project import ComposeFile, load_project
from img.domain.bake.compose.targets import Machine, targets_of
from img.domain.bake.definition.checks import checked
from img.domain.bake.definition.definition import Definition, as_written, define
from img.domain.bake.definition.evaluator import Inputs
from img.domain.bake.definition.files import (
    DEFAULT_NAMES,
    names_of_environment,
    placed,
    relative_to_files,
)
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
from img.domain.bake.functions.library import Surroundings
from img.domain.bake.language.body import Body
from img.domain.bake.reading import read_definition
from img.domain.platform import Platform
from tests.support.compose_yaml import read_compose
from tests.support.host.machine import CONFORMANCE

Row = dict[str, Any]
# Options of the command line alone, and answers that img gives otherwise on purpose: the ADR.
_OTHER_ANSWERS = {
    "set-network",
    "set-network-host",
    "set-no-cache-filter",
    "set-ulimits-append",
    "twice-type-keyword-two-args",
    "type-keyword-two-targets",
    "compose-ulimits",  # a limit of one number is both limits, not none
    "compose-svc-ports-bad",  # keys that say nothing about builds are not looked at
}
_LOOSE = {
    "output-check-bad-quote",  # the column inside of a list
}


class _Refused(Exception):
    """A row about the command line, which is not read here."""


class _Files:
    def __init__(self, row: Row) -> None:
        self.contents = {name: text.encode() for name, text in row["files"].items()}
        for name, text in row.get("files_b64", {}).items():
            self.contents[name] = base64.b64decode(text)
        if "stdin" in row:
            self.contents["-"] = row["stdin"].encode()
        self._directories = row.get("dirs", [])
        self._sockets = row.get("sockets", [])

    def kind(self, path: str) -> Literal["file", "directory", ""]:
        if path in self._directories or any(n.startswith(f"{path}/") for n in self.contents):
            return "directory"
        return "file" if path in self.contents else ""

    def is_private_key(self, path: str) -> bool:
        return b"PRIVATE KEY" in self.contents.get(path, b"")

    def is_socket(self, path: str) -> bool:
        return path in self._sockets

    def compose(self, path: str) -> ComposeFile:
        if path not in self.contents:
            raise BakeError(f"open {path}: no such file or directory")
        return read_compose(path, self.contents[path])

    def text(self, path: str) -> str | None:
        found = self.contents.get(path)
        return None if found is None else found.decode()


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
                self.files.append(next(words).removeprefix("cwd://"))
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
                    raise _Refused
            elif word == "--":
                self.names.extend(words)
            elif word.startswith("-") and word not in ("--print", "-D"):
                raise _Refused
            elif not word.startswith("-"):
                self.names.append(word)
        self.flags = Flags(**self._flags)


def _answer(row: Row) -> tuple[str, Any, str | None]:
    arguments, files = _Arguments(row), _Files(row)
    environment = {"PATH": "/bin", "HOME": "/home/user", **row["env"]}
    try:
        listing = parse_listing(arguments.listed) if arguments.listed else None
        definition = _definition(
            _names(arguments, files, environment), files, arguments, environment
        )
        if listing:
            show = list_variables if listing.variables else list_targets
            return "stdout", show(definition, as_json=listing.as_json), None
        overrides = (*arguments.overrides, *overrides_of(arguments.flags))
        found = plan(definition, arguments.names, overrides, environment)
        host = Platform("linux", "amd64")
        return "expect", json.loads(print_plan(checked(found, files, environment, host))), None
    except BakeError as error:
        where = error.excerpt.partition("\n")[0] if isinstance(error, BakeSyntaxError) else None
        return "error", error.message, where


def _names(arguments: _Arguments, files: _Files, environment: dict[str, str]) -> list[str]:
    listed = names_of_environment(environment)
    for name in () if arguments.files else listed:
        if name != "-" and name not in files.contents:
            raise BakeError(f"stat {name}: no such file or directory")
    names = arguments.files or listed
    found = names or [name for name in DEFAULT_NAMES if name in files.contents]
    return list(found)


def _definition(
    names: list[str], files: _Files, arguments: _Arguments, environment: dict[str, str]
) -> Definition:
    variables = parse_variables(arguments.given)
    for text in arguments.allowed:
        check_allowed(text)
    names = [name for name in names if files.contents.get(name, b"x")]
    if not names:
        raise BakeError("couldn't find a bake definition")
    hidden = environment.get("BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP") in ("1", "true")
    visible = {} if hidden else environment
    relative = relative_to_files(environment)
    composed: list[ComposeFile] = []
    bodies: list[Body] = []
    for name in names:
        found = read_definition(name, files.contents[name], read_compose)
        if isinstance(found, ComposeFile):
            composed.append(found)
        else:
            bodies.append(found)
    base = None
    if composed:
        directory = posixpath.dirname(composed[0].path) if relative else ""
        base = _composed(composed, files, {**visible, **variables}, directory)
    builtins = {"BAKE_CMD_CONTEXT": "cwd://", "BAKE_LOCAL_PLATFORM": "linux/amd64"}
    inputs = Inputs(variables, visible, builtins, Surroundings(1_700_000_000, "/home/user"))
    place = placed if relative else as_written
    return define(bodies, inputs, base, place)


def _composed(
    loaded: list[ComposeFile], files: _Files, known: dict[str, str], directory: str
) -> Definition:
    warned: list[str] = []
    dotenv = read_dotenv(files.text(".env") or "", known, warned.append)
    documents = [d for file in loaded for d in file.documents if isinstance(d, dict)]
    project = next((str(d["name"]) for d in documents if "name" in d), "bake")
    variables = {"COMPOSE_PROJECT_NAME": project, **dotenv, **known}
    machine = Machine(variables, "/home/user", files.text, warned.append, directory)
    return targets_of(load_project(loaded, variables, files.compose, warned.append), machine)


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
    if row.get("unordered"):
        return bool(_as_sets(found) == _as_sets(wanted.get(kind)))
    return bool(found == wanted.get(kind))


def _rows() -> list[Row]:
    found = []
    for table in ("bake", "public"):
        file = CONFORMANCE / "bake" / f"{table}.jsonl"
        if file.exists():
            found += [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
    return found


def test_definitions_are_answered_as_by_buildx() -> None:
    rows = _rows()
    if not rows:
        pytest.skip(f"there are no tables at {CONFORMANCE / 'bake'}")
    wrong, looked_at = {}, 0
    for row in rows:
        try:
            kind, found, where = _answer(row)
        except _Refused:
            continue
        looked_at += 1
        wanted = row.get("any_of") or [row]
        if row["id"] not in _OTHER_ANSWERS and not any(
            _fits(row, each, kind, found, where) for each in wanted
        ):
            wrong[row["id"]] = (kind, found, where)

    assert not wrong
    assert looked_at > 0.98 * len(rows)
