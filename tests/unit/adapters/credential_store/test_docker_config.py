"""The file that Docker, podman, skopeo and others read too."""

import base64
import errno
import fcntl
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from img.adapters.credential_store.containers_auth import ContainersAuthCredentials
from img.adapters.credential_store.docker_config import (
    DockerConfigCredentials,
    docker_config_path,
)
from img.adapters.linux.outsider import HelperResult
from img.application.ports.credential_store import Credentials, CredentialsUnreadable
from img.domain.reference import DOCKER_HUB_SERVER

_ADA = Credentials(username="ada", password="lovelace")


class Keyring:
    """A credential helper's program, played."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, str]] = {}
        self.programs: set[str] = set()

    def __call__(self, argv: Sequence[str], text: bytes) -> HelperResult:
        program, verb = argv
        self.programs.add(program)
        if verb == "store":
            entry = json.loads(text)
            self.kept[entry["ServerURL"]] = entry
        elif verb == "erase":
            self.kept.pop(text.decode())
        elif text.decode() not in self.kept:
            answer = b"credentials not found in native keychain\n"
            return HelperResult(code=1, stdout=answer, stderr=b"")
        else:
            return _answer(json.dumps(self.kept[text.decode()]).encode())
        return _answer(b"")


def _answer(output: bytes) -> HelperResult:
    return HelperResult(code=0, stdout=output, stderr=b"")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def _auth(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_the_file_is_where_docker_has_it() -> None:
    assert docker_config_path({"HOME": "/home/ada"}) == Path("/home/ada/.docker/config.json")
    assert docker_config_path({"DOCKER_CONFIG": "/etc/d", "HOME": "/"}) == Path(
        "/etc/d/config.json"
    )


def test_the_file_is_the_users_alone(path: Path) -> None:
    path.write_text("{}")
    path.chmod(0o644)

    DockerConfigCredentials(path).put("quay.io", _ADA)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["config.json"]


def test_what_others_wrote_stays(path: Path) -> None:
    others = {"HttpHeaders": {"X": "y"}, "auths": {"ghcr.io": {"auth": _auth("b:c")}}}
    path.write_text(json.dumps(others))

    store = DockerConfigCredentials(path)
    store.put("quay.io", _ADA)
    store.remove("quay.io")

    assert json.loads(path.read_text()) == others


def test_a_link_is_followed_not_replaced(path: Path) -> None:
    real = path.with_name("real.json")
    real.write_text("{}")
    path.symlink_to(real)

    DockerConfigCredentials(path).put("quay.io", _ADA)

    assert path.is_symlink()
    assert "quay.io" in real.read_text()


def test_a_repositorys_own_credentials_come_first(path: Path) -> None:
    auths = {"quay.io": {"auth": _auth("ada:1")}, "quay.io/team/app": {"auth": _auth("bob:2")}}
    path.write_text(json.dumps({"auths": auths}))
    store = DockerConfigCredentials(path)

    assert store.get("quay.io", "team/app") == Credentials(username="bob", password="2")
    assert store.get("quay.io", "team/other") == Credentials(username="ada", password="1")


def test_logging_out_forgets_old_spellings_too(path: Path) -> None:
    path.write_text(json.dumps({"auths": {"https://quay.io/v1/": {"auth": _auth("ada:1")}}}))

    assert DockerConfigCredentials(path).remove("quay.io")

    assert json.loads(path.read_text()) == {"auths": {}}


@pytest.mark.parametrize("text", ["}{", "[]", '{"auths": 1}', '{"auths":{"quay.io":{"auth":"-"}}}'])
def test_a_broken_file_is_named(path: Path, text: str) -> None:
    path.write_text(text)

    with pytest.raises(CredentialsUnreadable, match=str(path)):
        DockerConfigCredentials(path).get("quay.io")


def test_a_broken_file_is_not_overwritten(path: Path) -> None:
    path.write_text("}{")

    with pytest.raises(CredentialsUnreadable):
        DockerConfigCredentials(path).put("quay.io", _ADA)

    assert path.read_text() == "}{"


def test_a_broken_entry_is_no_matter_to_other_servers(path: Path) -> None:
    path.write_text('{"auths":{"quay.io":{"auth":"-"}}}')

    assert DockerConfigCredentials(path).get("ghcr.io") is None


@pytest.mark.parametrize("config", [{"credsStore": "keys"}, {"credHelpers": {"quay.io": "keys"}}])
def test_a_helper_keeps_the_password_out_of_the_file(path: Path, config: dict[str, object]) -> None:
    path.write_text(json.dumps(config))
    keyring = Keyring()
    store = DockerConfigCredentials(path, run=keyring)

    store.put("quay.io", _ADA)

    assert store.get("quay.io", "team/app") == _ADA
    assert json.loads(path.read_text()) == {**config, "auths": {"quay.io": {}}}
    assert keyring.programs == {"docker-credential-keys"}
    assert store.remove("quay.io")
    assert keyring.kept == {}
    assert store.get("quay.io") is None


def test_a_helper_of_one_server_does_not_hear_of_others(path: Path) -> None:
    path.write_text('{"credHelpers":{"quay.io":"keys"},"auths":{"ghcr.io":{"auth":"YTpi"}}}')
    keyring = Keyring()

    found = DockerConfigCredentials(path, run=keyring).get("ghcr.io")

    assert found == Credentials(username="a", password="b")
    assert keyring.programs == set()


def test_a_helpers_token_is_an_identity_token(path: Path) -> None:
    path.write_text('{"credsStore":"keys"}')
    store = DockerConfigCredentials(
        path, run=lambda *_: _answer(b'{"Username":"<token>","Secret":"long"}')
    )

    assert store.get("quay.io") == Credentials(identity_token="long")


def test_a_helper_that_fails_says_why(path: Path) -> None:
    path.write_text('{"credsStore":"keys"}')
    locked = HelperResult(code=1, stdout=b"the keyring is locked\n", stderr=b"")

    with pytest.raises(CredentialsUnreadable, match="the keyring is locked"):
        DockerConfigCredentials(path, run=lambda *_: locked).get("quay.io")


@pytest.mark.parametrize("output", [b"", b"[]", b'{"Username":"ada"}'])
def test_a_helper_that_talks_nonsense_is_an_error(path: Path, output: bytes) -> None:
    path.write_text('{"credsStore":"keys"}')

    with pytest.raises(CredentialsUnreadable, match="docker-credential-keys"):
        DockerConfigCredentials(path, run=lambda *_: _answer(output)).get("quay.io")


def test_a_helper_that_is_not_installed_is_named(path: Path) -> None:
    path.write_text('{"credsStore":"surely-not-installed"}')

    with pytest.raises(CredentialsUnreadable, match="docker-credential-surely-not-installed"):
        DockerConfigCredentials(path).get("quay.io")


@pytest.mark.parametrize("name", ["../../bin/sh", "a b", "-x", "#x"])
def test_a_helper_is_a_name_and_no_path(path: Path, name: str) -> None:
    path.write_text(json.dumps({"credsStore": name}))
    keyring = Keyring()

    with pytest.raises(CredentialsUnreadable):
        DockerConfigCredentials(path, run=keyring).get("quay.io")
    assert keyring.programs == set()


@pytest.mark.parametrize("name", ["docker.io", "index.docker.io", "registry-1.docker.io"])
@pytest.mark.parametrize("kind", [DockerConfigCredentials, ContainersAuthCredentials])
def test_a_helper_for_docker_hub_is_asked_by_the_name_in_the_file(
    path: Path, kind: type[DockerConfigCredentials], name: str
) -> None:
    path.write_text(json.dumps({"credHelpers": {name: "keys"}}))
    keyring = Keyring()
    store = kind(path, run=keyring)

    store.put(DOCKER_HUB_SERVER, _ADA)

    assert list(keyring.kept) == [name]
    assert store.get(DOCKER_HUB_SERVER, "library/busybox") == _ADA
    assert store.remove(DOCKER_HUB_SERVER)
    assert keyring.kept == {}


def test_the_documented_name_of_docker_hub_comes_first(path: Path) -> None:
    helpers = {"docker.io": "others", DOCKER_HUB_SERVER: "keys", "index.docker.io": "others"}
    path.write_text(json.dumps({"credHelpers": helpers}))
    keyring = Keyring()

    DockerConfigCredentials(path, run=keyring).put(DOCKER_HUB_SERVER, _ADA)

    assert list(keyring.kept) == [DOCKER_HUB_SERVER]
    assert keyring.programs == {"docker-credential-keys"}


_LONG = f"ada:{'p' * 100}"


@pytest.mark.parametrize(
    "auth",
    [
        base64.encodebytes(_LONG.encode()).decode(),
        _auth(_LONG) + "\n",
        _auth(_LONG) + "\r\n",
        "\n" + "\r\n".join(_auth(_LONG)),
    ],
    ids=["wrapped", "line end", "carriage return", "everywhere"],
)
def test_line_ends_in_auth_are_passed_over(path: Path, auth: str) -> None:
    path.write_text(json.dumps({"auths": {"quay.io": {"auth": auth}}}))

    found = DockerConfigCredentials(path).get("quay.io")

    assert found == Credentials(username="ada", password="p" * 100)


@pytest.mark.parametrize("auth", [_auth(_LONG)[:-1], _auth(_LONG) + "=", "YTpi ", "YTpi\t", "YT-i"])
def test_other_characters_in_auth_are_refused(path: Path, auth: str) -> None:
    path.write_text(json.dumps({"auths": {"quay.io": {"auth": auth}}}))

    with pytest.raises(CredentialsUnreadable, match="auth is no base64 text"):
        DockerConfigCredentials(path).get("quay.io")


def test_a_home_directory_without_locks_keeps_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refused)
    store = DockerConfigCredentials(tmp_path / "config.json")

    store.put("quay.io", _ADA)

    assert store.get("quay.io") == _ADA
