"""A registry that wants a name and a password."""

import json
from collections.abc import Iterator

import pytest

from tests.support.host.img_command import Img, WriteContext
from tests.support.host.machine import lacking
from tests.support.servers import registry_server
from tests.support.servers.registry_server import RegistryServer

pytestmark = [pytest.mark.registry, pytest.mark.any_user]

_NAME, _PASSWORD = "jess", "correct horse"


@pytest.fixture(scope="module")
def private() -> Iterator[str]:
    if registry_server.PROGRAM is None:
        lacking("docker-registry is not installed")
    with RegistryServer(htpasswd=(_NAME, _PASSWORD)) as server:
        yield server.address


@pytest.fixture
def named(img: Img, private: str, write_context: WriteContext) -> str:
    name = f"{private}/app-{img.account.name}:v1"
    img("build", "-q", "-t", name, write_context("FROM scratch\nCOPY f /\n", {"f": "f"}))
    return name


def test_without_login_push_and_pull_and_build_are_refused(
    img: Img, named: str, private: str, write_context: WriteContext
) -> None:
    for arguments in (["push", named], ["pull", f"{private}/other"]):
        line = img(*arguments, code=6).error_line
        assert private in line
        assert "login" in line


@pytest.mark.parametrize("flag", ["--password-stdin", "-password-stdin"])
def test_after_login_push_and_pull_work_and_after_logout_no_more(
    img: Img, named: str, private: str, flag: str
) -> None:
    outcome = img("login", "-u", _NAME, flag, private, stdin=f"{_PASSWORD}\n".encode())
    assert outcome.stdout == "Login succeeded.\n"
    assert _PASSWORD not in outcome.stdout + outcome.stderr

    img("push", named)
    elsewhere = img.with_state(img.home / "elsewhere")
    elsewhere("pull", named)
    assert "Removing login credentials" in img("logout", private).stdout
    img("push", named, code=6)
    assert "Not logged in to" in img("logout", private).stdout


def test_credentials_are_kept_for_nobody_else_to_read(img: Img, private: str) -> None:
    img("login", "-u", _NAME, "-p", _PASSWORD, private)

    config = img.home / ".docker/config.json"
    assert config.stat().st_mode & 0o077 == 0
    assert config.stat().st_uid == img.account.uid
    assert private in json.loads(config.read_text())["auths"]


def test_a_wrong_password_is_refused_and_not_kept(img: Img, private: str) -> None:
    line = img("login", "-u", _NAME, "-p", "wrong", private, code=6).error_line

    assert private in line
    assert not (img.home / ".docker/config.json").exists()


def test_a_password_on_the_command_line_is_warned_of(img: Img, private: str) -> None:
    outcome = img("login", "-u", _NAME, "-p", _PASSWORD, private)

    assert (
        "WARNING! Using --password via the CLI is insecure. Use --password-stdin." in outcome.stderr
    )
