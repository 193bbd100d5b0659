"""The command lines of the files in examples/ci build and push."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ci_examples import EXAMPLES, scripts_in
from tests.support.host.img_command import ImgFor, WriteContext
from tests.support.host.machine import program
from tests.support.servers.registry_server import RegistryServer

pytestmark = [pytest.mark.registry, pytest.mark.peers]

_LOGIN = ("jess", "secret")
_HOSTS = ("ghcr.io", "registry.example.com")


@pytest.fixture(scope="module")
def locked() -> Iterator[RegistryServer]:
    """Return a registry that asks for a password."""
    with RegistryServer(_LOGIN) as server:
        yield server


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_image_of_an_example_is_in_the_registry(
    example: Path,
    img_for: ImgFor,
    locked: RegistryServer,
    write_context: WriteContext,
    workplace: Path,
) -> None:
    img = img_for("root")
    name, password = _LOGIN
    context = write_context("FROM scratch\nCOPY Dockerfile /\n")
    image = f"{locked.address}/{example.stem.lower()}"
    script = "\n".join(scripts_in(example.read_text(), jenkins=example.name == "Jenkinsfile"))
    for host in _HOSTS:
        script = script.replace(host, locked.address)
    environment = {
        "PATH": f"{Path(img.command[0]).parent}:{os.environ['PATH']}",
        "HOME": str(img.home),
        "IMG_STATE": str(img.state),
        # Those that the systems set, and those that the files name.
        "GITHUB_TOKEN": password,
        "GITHUB_ACTOR": name,
        "CI_REGISTRY": locked.address,
        "CI_REGISTRY_USER": name,
        "CI_REGISTRY_PASSWORD": password,
        "CI_REGISTRY_IMAGE": image,
        "CI_COMMIT_SHORT_SHA": "abc",
        "CI_PROJECT_DIR": str(context),
        "BUILD_NUMBER": "1",
        "REPO": str(context),
        "IMAGE": image,
        "CONTEXT": str(context),
        "DOCKERFILE": str(context / "Dockerfile"),
        "DIGEST_FILE": str(workplace / "digest"),
        "URL_FILE": str(workplace / "url"),
    }
    # Other files take credentials from a mounted secret.
    login = f"echo {password} | img login -u {name} --password-stdin {locked.address}\n"

    subprocess.run(
        ["sh", "-euc", login + script], cwd=context, env=environment, check=True, timeout=120
    )

    listed = subprocess.run(
        [program("skopeo"), "list-tags", "--tls-verify=false", "--creds", ":".join(_LOGIN),
         f"docker://{locked.address}/{_repository(example)}"],
        check=True,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert json.loads(listed.stdout)["Tags"]


def _repository(example: Path) -> str:
    """Return the repository that the example pushes to."""
    return "team/app" if example.name == "Jenkinsfile" else example.stem.lower()
