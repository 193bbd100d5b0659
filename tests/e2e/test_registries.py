"""Configuration of registries, and their lists."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import lacking
from tests.support.servers.certificates import Authority
from tests.support.servers.registry_server import PROGRAM, RegistryServer

pytestmark = pytest.mark.registry

_NAME, _PASSWORD = "jess", "correct horse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secure:
    """A registry with TLS and a password, and the file of the authority that vouches for it."""

    address: str
    authority: Path


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    if PROGRAM is None:
        lacking("docker-registry is not installed")
    authority = Authority(tmp_path_factory.mktemp("authority"))
    certificate = authority.issue("registry", "IP:127.0.0.1")
    with RegistryServer((_NAME, _PASSWORD), tls=certificate) as server:
        yield Secure(address=server.address, authority=authority.certificate)


@pytest.fixture
def img(img_for: ImgFor) -> Img:
    """Return img, run by an ordinary user: the files are to be found inside namespaces too."""
    return img_for("user")


@pytest.fixture
def tiny(write_context: WriteContext) -> Path:
    """Return a context of an image without a base."""
    return write_context("FROM scratch\nCOPY f /\n", {"f": "f"}, name="tiny")


def _written(img: Img, name: str, text: str) -> Path:
    """Write a file in the user's home."""
    path = img.home / name
    made = [parent for parent in path.parents if img.home in parent.parents]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for each in (*made, path):
        os.chown(each, img.account.uid, img.account.gid)
    return path


def test_certificates_and_a_login_of_ones_own_are_found(
    img: Img, secure: Secure, tiny: Path, write_context: WriteContext
) -> None:
    name = f"{secure.address}/tiny:1"
    img("build", "-q", "-t", name, tiny)
    line = img("push", name, code=6).error_line
    assert "is not to be trusted" in line

    certificate = secure.authority.read_text()
    _written(img, f".config/containers/certs.d/{secure.address}/ca.crt", certificate)
    login = ("login", "-u", _NAME, "--password-stdin", secure.address)
    mine = img.home / "mine.json"
    img(*login, "--authfile", mine, stdin=_PASSWORD.encode())
    assert "login" in img("push", name, code=6).error_line

    img("push", "--authfile", mine, name)
    assert secure.address in json.loads(mine.read_text())["auths"]
    assert not (img.home / ".docker").exists()

    # A base that only the file opens; from then on by the environment.
    elsewhere = img.with_state(img.home / "elsewhere")
    child = write_context(f"FROM {name}\nLABEL a=b\n", name="child")
    elsewhere("build", "-q", "-t", "child", child, code=6)
    elsewhere("build", "-q", "--authfile", mine, "-t", "child", child)
    other = img.with_state(img.home / "other").with_environment(REGISTRY_AUTH_FILE=str(mine))
    other("pull", name)
    other("logout", secure.address)
    other("pull", name, code=6)


def test_certificates_need_not_be_checked(
    img: Img, secure: Secure, tiny: Path, write_context: WriteContext
) -> None:
    name = f"{secure.address}/unchecked:1"
    auths = {"auths": {secure.address: {"username": _NAME, "password": _PASSWORD}}}
    _written(img, ".config/containers/auth.json", json.dumps(auths))
    img("build", "-q", "-t", name, tiny)

    outcome = img("push", "--tls-verify=false", name)
    assert "Warning" not in outcome.stderr
    assert img("tags", "--insecure-registry", name).stdout == "1\n"
    child = write_context(f"FROM {name}\nLABEL a=b\n", name="child")
    elsewhere = img.with_state(img.home / "elsewhere")
    elsewhere("build", "-q", "--tls-verify=false", "-t", "child", child)

    conf = f'[[registry]]\nlocation = "{secure.address}"\ninsecure = true\n'
    _written(img, ".config/containers/registries.conf", conf)
    img("pull", name)


def test_images_come_from_mirrors(
    img: Img, registry: RegistryServer, tiny: Path, write_context: WriteContext
) -> None:
    copy = f"{registry.address}/hub/library/tiny:1"
    img("build", "-q", "-t", copy, tiny)
    img("push", copy)
    conf = f"""
        [[registry]]
        prefix = "docker.io"
        [[registry.mirror]]
        location = "127.0.0.1:1"
        [[registry.mirror]]
        location = "{registry.address}/hub"
        [[registry]]
        prefix = "forbidden.example.com"
        blocked = true
    """
    path = _written(img, "registries.conf", conf)
    mirrored = img.with_state(img.home / "m").with_environment(IMG_REGISTRIES_CONF=str(path))

    mirrored("pull", "tiny:1")
    assert "docker.io/library/tiny:1" in mirrored("ls").stdout
    child = write_context("FROM tiny:1\nLABEL a=b\n", name="child")
    img.with_state(img.home / "n").with_environment(IMG_REGISTRIES_CONF=str(path))(
        "build", "-q", "-t", "child", child
    )
    line = mirrored("pull", "forbidden.example.com/x", code=6).error_line
    assert "blocks forbidden.example.com" in line

    path.write_text("[[registry]\n")
    assert str(path) in mirrored("pull", "--quiet", "tiny:1", code=1).error_line


def test_a_registrys_contents_are_listed_and_removed(
    img: Img, registry: RegistryServer, tiny: Path
) -> None:
    repository = f"{registry.address}/listed/{img.account.name}"
    one, two = f"{repository}:one", f"{repository}:two"
    img("build", "-q", "-t", one, "-t", two, tiny)
    assert img("push", one, two).stdout.count("Successfully pushed") == 2

    assert sorted(img("tags", repository).stdout.split()) == ["one", "two"]
    assert f"listed/{img.account.name}" in img("catalog", registry.address).stdout.split()
    assert img("referrers", one).stdout.split("\n")[1:] == [""]

    digest = img("pull", one).stdout.partition("Pulled: ")[2].split()[0]
    img("rm", "--remote", f"{repository}@{digest}")
    assert img("tags", repository).stdout == ""
    assert "not found" in img("pull", two, code=6).error_line
    assert "not found" in img("tags", f"{repository}/nothing", code=6).error_line
