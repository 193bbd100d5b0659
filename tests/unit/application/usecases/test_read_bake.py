"""Definitions of several files, of compose files that name others, and of remote places."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from img.adapters.clock.fixed import FixedClock
from img.adapters.definition_files.compose import read_compose
from img.adapters.definition_files.memory import MemoryDefinitionFiles
from img.application.usecases.read_bake import ReadBakeDefinition, Surrounding
from img.domain.bake.definition.plan import plan
from img.domain.bake.definition.printing import print_plan
from img.domain.bake.definition.privileges import PrivilegesMissing
from img.domain.bake.errors import BakeError
from img.domain.platform import Platform

HOST = Platform("linux", "amd64")
NOW = datetime.fromtimestamp(1_700_000_000, UTC)


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
