"""The file, and the key in it, that the credentials of a registry are read from."""

import base64
import json
from pathlib import Path

import pytest

from img.adapters.credential_store.auth_files import usual_auth_files
from img.adapters.credential_store.containers_auth import ContainersAuthCredentials
from img.application.ports.credential_store import Credentials, CredentialsUnreadable
from img.domain.reference import DOCKER_HUB_SERVER


def _auth(user: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:secret".encode()).decode()}


def _write(path: Path, **users: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {key: _auth(user) for key, user in users.items()}}))
    return path


def _user(found: Credentials | None) -> str:
    return found.username if found else ""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}


def test_the_files_are_asked_in_turn(home: Path, environment: dict[str, str]) -> None:
    legacy = home / ".dockercfg"
    legacy.write_text(json.dumps({"https://a.test/v1/": _auth("oldest")}))
    found = []
    for path in (
        legacy,
        home / ".config/containers/auth.json",
        home / "run/containers/auth.json",
        home / ".docker/config.json",
        home / "named.json",
    ):
        if path != legacy:
            _write(path, **{"a.test": path.parent.parent.name})
        if path.name == "named.json":
            _write(path, **{"a.test": "named"})
            environment["REGISTRY_AUTH_FILE"] = str(path)
        found.append(_user(usual_auth_files(environment, 1000).get("a.test", "team/app")))

    assert found == ["oldest", ".config", "run", home.name, "named"]


def test_a_variable_of_docker_is_asked_before_the_files(
    home: Path, environment: dict[str, str]
) -> None:
    _write(home / ".docker/config.json", **{"a.test": "file", "b.test": "file"})
    environment["DOCKER_AUTH_CONFIG"] = json.dumps({"auths": {"a.test": _auth("variable")}})
    files = usual_auth_files(environment, 1000)

    files.put("a.test", Credentials(username="stored", password="x"))

    assert _user(files.get("a.test")) == "variable"
    assert _user(files.get("b.test")) == "file"
    assert "stored" not in environment["DOCKER_AUTH_CONFIG"]


def test_further_files_are_asked_last(home: Path, environment: dict[str, str]) -> None:
    more = _write(home / "kaniko/config.json", **{"a.test": "more", "b.test": "more"})
    _write(home / ".docker/config.json", **{"a.test": "file"})
    files = usual_auth_files(environment, 1000, more=[more, home / "gone.json"])

    assert [_user(files.get(host)) for host in ("a.test", "b.test")] == ["file", "more"]


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": 1}'])
def test_a_bad_variable_is_named(environment: dict[str, str], text: str) -> None:
    environment["DOCKER_AUTH_CONFIG"] = text

    with pytest.raises(CredentialsUnreadable, match=r"\$DOCKER_AUTH_CONFIG"):
        usual_auth_files(environment, 1000).get("a.test")


def test_a_login_is_kept_in_the_first_file(home: Path, environment: dict[str, str]) -> None:
    usual_auth_files(environment, 0).put("a.test", Credentials(username="ada", password="x"))
    assert "a.test" in (home / ".docker/config.json").read_text()

    environment["REGISTRY_AUTH_FILE"] = str(home / "named.json")
    usual_auth_files(environment, 0).put("b.test", Credentials(username="ada", password="x"))
    assert "b.test" in (home / "named.json").read_text()


def test_other_tools_logins_are_theirs_to_remove(
    home: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _write(home / ".docker/config.json", **{"a.test": "docker"})
    theirs = _write(home / ".config/containers/auth.json", **{"a.test": "podman"})
    files = usual_auth_files(environment, 0)

    assert files.remove("a.test")

    assert _user(files.get("a.test")) == "podman"
    assert "a.test" in theirs.read_text()
    assert str(theirs) in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("repository", "user"),
    [
        ("team/app/part", "part"),
        ("team/app", "app"),
        ("team/app2", "team"),
        ("team2/app", "host"),
        ("", "host"),
    ],
)
def test_the_most_specific_key_wins(home: Path, repository: str, user: str) -> None:
    keys = {
        "a.test": "host",
        "a.test/team": "team",
        "a.test/team/app": "app",
        "a.test/team/app/part": "part",
    }
    store = ContainersAuthCredentials(_write(home / "auth.json", **keys))

    assert _user(store.get("a.test", repository)) == user


def test_a_namespaces_key_is_not_for_the_whole_host(home: Path) -> None:
    store = ContainersAuthCredentials(_write(home / "auth.json", **{"a.test/team": "team"}))

    assert store.get("a.test", "other/app") is None
    assert store.get("a.test") is None
    assert not store.remove("a.test")


@pytest.mark.parametrize(
    "key",
    [
        DOCKER_HUB_SERVER,
        "docker.io",
        "index.docker.io",
        "https://docker.io",
        "registry-1.docker.io",
        "https://registry-1.docker.io/v2/",
        "docker.io/library",
        "docker.io/library/busybox",
    ],
)
def test_docker_hub_is_known_by_all_its_names(home: Path, key: str) -> None:
    store = ContainersAuthCredentials(_write(home / "auth.json", **{key: "ada"}))

    assert _user(store.get(DOCKER_HUB_SERVER, "library/busybox")) == "ada"


@pytest.mark.parametrize("key", ["https://a.test", "http://a.test/v1/", "https://a.test/v2/"])
def test_a_url_is_its_host(home: Path, key: str) -> None:
    store = ContainersAuthCredentials(_write(home / "auth.json", **{key: "ada"}))

    assert _user(store.get("a.test", "team/app")) == "ada"


@pytest.mark.plain_user
def test_a_file_that_may_not_be_read_is_somebody_elses(
    home: Path, environment: dict[str, str]
) -> None:
    theirs = _write(home / "run/containers/auth.json", **{"a.test": "them"})
    theirs.parent.chmod(0)

    assert usual_auth_files(environment, 0).get("a.test") is None
