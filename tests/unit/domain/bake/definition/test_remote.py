"""Remote definitions: the places of their paths, and the hosts of their credentials."""

import pytest

from img.adapters.definition_files.memory import MemoryDefinitionFiles
from img.domain.bake.definition.attributes import Contents
from img.domain.bake.definition.definition import Definition
from img.domain.bake.definition.plan import plan
from img.domain.bake.definition.privileges import Permissions, reading
from img.domain.bake.definition.remote import GitAccess, RemoteArguments, directory_in
from img.domain.bake.errors import BakeError
from img.domain.options.secrets import AgentSpec, SecretSpec

REPOSITORY = "https://host/r.git#main"


@pytest.mark.parametrize(
    ("base", "path", "place"),
    [
        ("https://host/r.git", "a", "https://host/r.git#:a"),
        ("https://host/r.git", ".", "https://host/r.git"),
        (REPOSITORY, "a/../b", f"{REPOSITORY}:b"),
        (f"{REPOSITORY}:sub", "a", f"{REPOSITORY}:sub/a"),
        (f"{REPOSITORY}:sub", "../../../a", f"{REPOSITORY}:a"),
        ("https://host/r.git?ref=v1&subdir=a", "b", "https://host/r.git?ref=v1&subdir=a/b"),
        ("https://host/r.git?subdir=a&ref=v1", "b", "https://host/r.git?subdir=a/b&ref=v1"),
        ("git@host:r.git#v1", "/a", "git@host:r.git#v1:a"),
        ("github.com/a/b", "c", "github.com/a/b#:c"),
        ("https://host/x.tgz", "a", "https://host/x.tgz#:a"),
        ("https://host/x.tgz?q=1#:a", "b", "https://host/x.tgz?q=1#:a/b"),
    ],
)
def test_a_directory_is_in_the_repository_or_archive(base: str, path: str, place: str) -> None:
    assert directory_in(base, path) == place


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (("a", "b"), ("", "cwd://", ("a", "b"))),
        ((), ("", "cwd://", ())),
        ((REPOSITORY,), (REPOSITORY, "cwd://", ())),
        ((REPOSITORY, "a"), (REPOSITORY, "cwd://", ("a",))),
        ((REPOSITORY, "https://host/c", "a"), (REPOSITORY, "https://host/c", ("a",))),
    ],
)
def test_urls_come_before_targets(
    words: tuple[str, ...], arguments: tuple[str, str, tuple[str, ...]]
) -> None:
    assert RemoteArguments.of(words) == arguments


def test_contexts_are_remote_unless_they_are_below_cwd() -> None:
    contexts = {
        "here": "cwd://lib",
        "there": "lib",
        "all": ".",
        "image": "docker-image://alpine",
        "layout": "oci-layout://dir",
        "other": "https://host/o.git",
        "base": "target:base",
    }
    contents: Contents = {"context": "app", "contexts": contexts}
    local: Contents = {"context": "cwd://sub", "dockerfile": "cwd://Dockerfile"}
    definition = Definition({"a": contents, "base": local}, {}, remote=REPOSITORY)

    made = plan(definition, ["a"], ["a.contexts.set=x"], {}).targets

    assert made["a"]["context"] == f"{REPOSITORY}:app"
    assert made["a"]["contexts"] == {
        **contexts,
        "there": f"{REPOSITORY}:lib",
        "all": REPOSITORY,
        "set": f"{REPOSITORY}:x",
    }
    assert made["base"]["context"] == "sub"


def test_a_remote_dockerfile_with_a_local_context_is_refused() -> None:
    definition = Definition({"a": {"context": "cwd://"}}, {}, remote=REPOSITORY)

    with pytest.raises(BakeError, match="reading a dockerfile for a remote build") as caught:
        plan(definition, ["a"], [], {})

    assert caught.value.hint is not None
    assert "cwd://Dockerfile" in caught.value.hint


def test_credentials_are_for_the_host_of_the_definition() -> None:
    environment = {"BUILDX_BAKE_GIT_AUTH_TOKEN": "t", "SSH_AUTH_SOCK": "/agent"}
    keys = {**environment, "BUILDX_BAKE_GIT_SSH": "/a,/b"}

    web = GitAccess.of("https://Host:8443/r.git", environment)
    hub = GitAccess.of("github.com/a/b", environment)
    ssh = GitAccess.of("git@host:r.git", keys)

    token = SecretSpec(id="GIT_AUTH_TOKEN", env="BUILDX_BAKE_GIT_AUTH_TOKEN")
    assert web == ("host:8443", (token,), ())
    assert hub is not None
    assert hub.host == "github.com"
    assert ssh == ("host", (token,), (AgentSpec(id="default", paths=("/a", "/b")),))
    assert GitAccess.of("git@host:r.git", {}) == ("host", (), ())


@pytest.mark.parametrize(
    ("environment", "remote", "allowed"),
    [
        ({}, True, False),
        ({"BAKE_ALLOW_REMOTE_FS_ACCESS": "1"}, True, True),
        ({"BAKE_ALLOW_REMOTE_FS_ACCESS": "1"}, False, False),
        ({"BAKE_ALLOW_REMOTE_FS_ACCESS": "1", "BUILDX_BAKE_ENTITLEMENTS_FS": "1"}, True, False),
        ({"BUILDX_BAKE_ENTITLEMENTS_FS": "0"}, True, True),
    ],
)
def test_a_variable_allows_remote_definitions_all_files(
    environment: dict[str, str], remote: bool, allowed: bool
) -> None:
    permissions = Permissions.of([], environment, remote=remote)

    assert (not permissions.missing([reading("/etc")], MemoryDefinitionFiles({}))) is allowed


def test_a_bad_value_of_the_variable_is_named() -> None:
    with pytest.raises(BakeError, match="BAKE_ALLOW_REMOTE_FS_ACCESS value"):
        Permissions.of([], {"BAKE_ALLOW_REMOTE_FS_ACCESS": "maybe"}, remote=True)
