"""Credentials in the variables of CI systems."""

from collections.abc import Mapping

import pytest

from img.adapters.credential_store.ci_variables import CiVariables
from img.adapters.credential_store.memory import MemoryCredentials
from img.application.ports.credential_store import Credentials
from img.domain.reference import DOCKER_HUB_SERVER

_OF_FILE = Credentials(username="file", password="x")
_OTHER = Credentials(username="u", password="p")


def _store(
    environment: Mapping[str, str], *, kaniko: bool = True, gitlab: bool = True
) -> CiVariables:
    files = MemoryCredentials({"known.example": _OF_FILE})
    return CiVariables(files, environment, kaniko=kaniko, gitlab=gitlab)


@pytest.mark.parametrize(
    ("server", "prefix"),
    [
        ("my-registry.example.com", "KANIKO_MY_REGISTRY_EXAMPLE_COM"),
        ("my-registry.example.com", "KANIKO_EXAMPLE_COM"),
        ("localhost", "KANIKO_LOCALHOST"),
        (DOCKER_HUB_SERVER, "KANIKO_INDEX_DOCKER_IO"),
        (DOCKER_HUB_SERVER, "KANIKO_DOCKER_IO"),
    ],
)
def test_kanikos_variables_name_the_host_or_a_domain_above_it(server: str, prefix: str) -> None:
    variables = {f"{prefix}_USER": "u", f"{prefix}_PASSWORD": "p"}

    assert _store(variables).get(server) == _OTHER
    assert _store(variables, kaniko=False).get(server) is None
    assert _store(variables).get("other.test") is None


def test_half_of_a_pair_is_none() -> None:
    assert _store({"KANIKO_A_TEST_USER": "u"}).get("a.test") is None


@pytest.mark.parametrize(
    ("server", "known"),
    [("gl.test", True), ("gl.test:5005", True), ("other.test", False), ("a.gl.test", False)],
)
@pytest.mark.parametrize("registry", ["gl.test", "gl.test:5005", "https://gl.test/group"])
def test_gitlabs_variables_are_for_its_registry(server: str, known: bool, registry: str) -> None:
    variables = {
        "CI_REGISTRY": registry,
        "CI_REGISTRY_USER": "u",
        "CI_REGISTRY_PASSWORD": "p",
    }

    assert _store(variables).get(server) == (_OTHER if known else None)
    assert _store(variables, gitlab=False).get(server) is None


def test_files_come_first_and_keep_logins() -> None:
    variables = {"KANIKO_KNOWN_EXAMPLE_USER": "u", "KANIKO_KNOWN_EXAMPLE_PASSWORD": "p"}
    store = _store(variables)

    store.put("new.test", _OTHER)

    assert store.get("known.example") == _OF_FILE
    assert store.get("new.test") == _OTHER
    assert store.remove("new.test")
    assert store.get("new.test") is None
