"""Definitions are read, merged and printed as buildx does it."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

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
from img.domain.bake.definition.privileges import PrivilegesMissing
from img.domain.bake.errors import BakeError, BakeSyntaxError
from img.domain.platform import Platform
from tests.support.host.machine import CONFORMANCE

HOST = Platform("linux", "amd64")
NOW = datetime.fromtimestamp(1_700_000_000, UTC)
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
                    raise _Refused
            elif word == "--":
                self.names.extend(words)
            elif word.startswith("-") and word not in ("--print", "-D"):
                raise _Refused
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


_SERVICE = "services: {app: {build: {context: ., args: [a]}, "


@pytest.mark.parametrize(
    "text",
    [
        _SERVICE + "env_file: ../other}}",
        _SERVICE + "env_file: [{path: /etc/passwd}]}}",
        _SERVICE + "extends: {file: ../other, service: app}}}",
        "include: [../other]\n" + _SERVICE + "}}",
        "include: [{path: [a/../../other]}]\n" + _SERVICE + "}}",
    ],
)
def test_a_compose_file_names_files_outside_of_the_directory_with_a_privilege(text: str) -> None:
    other = (_SERVICE + "}}").encode()
    contents = {"compose.yaml": text.encode(), "../other": other, "/etc/passwd": b"a=b"}
    files = MemoryDefinitionFiles({**contents, "a/../../other": other})
    read = ReadBakeDefinition(files=files, read_yaml=read_compose, clock=FixedClock(NOW))

    def around(*allowed: str) -> Surrounding:
        return Surrounding(environment={}, home="/home/user", host=HOST, allowed=allowed)

    with pytest.raises(PrivilegesMissing, match=r"fs\.read=.*(other|passwd)"):
        read([], {}, around())
    assert "app" in read([], {}, around("fs.read=/")).targets


def test_a_file_of_the_command_line_may_be_anywhere() -> None:
    files = MemoryDefinitionFiles({"../c.yaml": (_SERVICE + "}}").encode()})
    read = ReadBakeDefinition(files=files, read_yaml=read_compose, clock=FixedClock(NOW))
    around = Surrounding(environment={}, home="/home/user", host=HOST)

    assert "app" in read(["../c.yaml"], {}, around).targets


TARGETS = b'target "default" {\n  context = "sub"\n  args = { C = BAKE_CMD_CONTEXT }\n}\n'
PLACE = "https://user:secret@host/r.git"


def _remote(
    found: bytes | dict[str, bytes], *names: str, url: str = PLACE, **local: bytes
) -> dict[str, dict[str, Any]]:
    """Return the printed targets of a remote definition."""
    files = MemoryDefinitionFiles({f"{name}.json": text for name, text in local.items()})
    read = ReadBakeDefinition(
        files=files, read_yaml=read_compose, clock=FixedClock(NOW), fetch=lambda *_: found
    )
    around = Surrounding(
        environment={}, home="/h", host=HOST, url=url, command_context="https://host/c"
    )
    made = plan(read(names, {}, around), [], [], {})
    targets: dict[str, dict[str, Any]] = json.loads(print_plan(made))["target"]
    return targets


def test_a_repository_has_the_files_of_a_definition_and_its_contexts() -> None:
    target = _remote({"docker-bake.hcl": TARGETS})["default"]

    assert target["context"] == f"{PLACE}#:sub"
    assert target["args"] == {"C": "https://host/c"}


def test_local_files_are_merged_into_a_remote_definition() -> None:
    more = b'{"target": {"default": {"tags": ["local"]}}}'

    target = _remote({"a.hcl": TARGETS}, "cwd://b.json", "a.hcl", b=more)["default"]

    assert (target["tags"], target["context"]) == (["local"], f"{PLACE}#:sub")


def test_one_file_of_a_web_server_refers_to_the_working_directory() -> None:
    assert _remote(TARGETS)["default"]["context"] == "sub"
    assert _remote(TARGETS, "https://host/d.hcl", url="")["default"]["context"] == "sub"


@pytest.mark.parametrize(
    ("found", "names", "message"),
    [
        ({}, [], "couldn't find a bake definition"),
        ({}, ["x.hcl"], r"open x\.hcl: no such file or directory in https://xxxxx:xxxxx@host/r"),
        ({"a.hcl": TARGETS}, ["a.hcl", "cwd://no"], "open no: no such file"),
        (b"target {", [], "https://xxxxx:xxxxx@host/r"),
    ],
)
def test_what_a_remote_definition_lacks_is_named_without_passwords(
    found: bytes | dict[str, bytes], names: list[str], message: str
) -> None:
    with pytest.raises(BakeError, match=message) as caught:
        _remote(found, *names)

    assert "secret" not in str(caught.value)
