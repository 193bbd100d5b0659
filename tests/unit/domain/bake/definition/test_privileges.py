"""Privileges that targets need besides those of --allow."""

import pytest

from img.adapters.definition_files.memory import MemoryDefinitionFiles
from img.domain.bake.definition.attributes import Contents
from img.domain.bake.definition.plan import Plan
from img.domain.bake.definition.privileges import missing_privileges

INSIDE: Contents = {"context": "a", "contexts": {"b": "c", "base": "target:x"}, "dockerfile": "F"}


def missing(
    contents: Contents,
    *allowed: str,
    overrides: tuple[str, ...] = (),
    environment: dict[str, str] | None = None,
) -> list[str]:
    plan = Plan({"app": contents}, {}, frozenset())
    files = MemoryDefinitionFiles({})
    return missing_privileges(plan, allowed, overrides, files, environment or {})


@pytest.mark.parametrize(
    ("contents", "needed"),
    [
        (INSIDE, []),
        ({"context": "https://example.com/repo.git"}, []),
        ({"context": "../a"}, ["fs.read=../a", "fs.read=../a/Dockerfile"]),
        ({"contexts": {"b": "cwd:///etc"}}, ["fs.read=/etc"]),
        ({"contexts": {"b": "oci-layout:///srv/l@sha256:1"}}, ["fs.read=/srv/l"]),
        ({"contexts": {"b": "docker-image://busybox"}}, []),
        ({"dockerfile": "/etc/F"}, ["fs.read=/etc/F"]),
        ({"context": "a", "dockerfile": "../../F"}, ["fs.read=a/../../F"]),
        ({"dockerfile": "../F", "dockerfile-inline": "FROM scratch"}, []),
        ({"secret": [{"id": "s", "src": "/etc/shadow"}]}, ["fs.read=/etc/shadow"]),
        ({"secret": [{"id": "s", "env": "S"}]}, []),
        ({"ssh": [{"id": "default"}]}, ["ssh"]),
        ({"ssh": [{"id": "default", "paths": ["/root/key"]}]}, ["fs.read=/root/key"]),
        ({"cache-from": [{"type": "local", "src": "/c"}]}, ["fs.read=/c"]),
        ({"cache-to": [{"type": "local", "dest": "/c"}]}, ["fs.write=/c"]),
        ({"output": [{"type": "local", "dest": "/o"}]}, ["fs.write=/o"]),
        ({"output": [{"type": "tar", "dest": "-"}]}, []),
        ({"output": [{"type": "local", "dest": "o", "mode": "delete"}]}, ["buildx.local.delete"]),
        ({"entitlements": ["network.host"]}, ["network.host"]),
    ],
)  # fmt: skip
def test_what_is_outside_of_the_directory_needs_a_privilege(
    contents: Contents, needed: list[str]
) -> None:
    contents = {"context": ".", "dockerfile": "Dockerfile", **contents}

    assert missing(contents) == needed
    assert missing(contents, *needed) == []


@pytest.mark.parametrize("allowed", ["fs=/o", "fs.write=/", "fs.write=*", "fs=*"])
def test_a_directory_is_allowed_with_what_is_below_it(allowed: str) -> None:
    contents: Contents = {"output": [{"type": "local", "dest": "/o/below"}]}

    assert missing(contents, allowed) == []
    assert missing(contents, "fs.read=*") == ["fs.write=/o/below"]


def test_a_path_of_the_command_line_is_allowed() -> None:
    contents: Contents = {"output": [{"type": "local", "dest": "/o"}]}

    assert missing(contents, overrides=("app.output=type=local,dest=/o",)) == []
    assert missing(contents, overrides=("app.args.output=type=local,dest=/o",)) != []


def test_files_are_not_checked_if_the_environment_says_so() -> None:
    contents: Contents = {"context": "/", "entitlements": ["network.host"]}

    unchecked = missing(contents, environment={"BUILDX_BAKE_ENTITLEMENTS_FS": "0"})

    assert unchecked == ["network.host"]
