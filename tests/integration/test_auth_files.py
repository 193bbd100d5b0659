"""Logins that other tools have made, and ours for them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.credential_store.containers_auth import ContainersAuthCredentials
from img.application.ports.credential_store import Credentials
from tests.support.host.machine import lacking
from tests.support.host.peers import tool
from tests.support.servers.registry_server import PROGRAM, RegistryServer

pytestmark = [pytest.mark.peers, pytest.mark.registry]

_ADA = Credentials(username="ada", password="love:lace")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if PROGRAM is None:
        lacking("docker-registry is not installed")
    with RegistryServer((_ADA.username, _ADA.password)) as server:
        yield server.address


def _login(file: Path, name: str) -> None:
    options = ("--tls-verify=false", "--authfile", file, "-u", _ADA.username, "--password-stdin")
    tool("skopeo", "login", *options, name, stdin=_ADA.password.encode())


def test_a_login_of_skopeo_is_found(server: str, tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    _login(file, server)

    assert ContainersAuthCredentials(file).get(server, "team/app") == _ADA


def test_a_login_of_skopeo_to_a_namespace_is_for_that(server: str, tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    _login(file, f"{server}/team")

    assert ContainersAuthCredentials(file).get(server, "team/app") == _ADA
    assert ContainersAuthCredentials(file).get(server, "other/app") is None


def test_a_login_of_ours_is_found_by_skopeo(server: str, tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    ContainersAuthCredentials(file).put(server, _ADA)

    user = tool("skopeo", "login", "--authfile", file, "--get-login", server)
    assert user.strip() == _ADA.username


def test_a_logout_of_ours_is_one_for_skopeo(server: str, tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    _login(file, server)

    assert ContainersAuthCredentials(file).remove(server)

    assert json.loads(file.read_text()) == {"auths": {}}
