"""The first build of README.md in Python."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import push
from tests.support.documents import all_blocks
from tests.support.host.img_command import ImgFor
from tests.support.host.machine import REPOSITORY
from tests.support.servers.registry_server import RegistryServer

_DOCKER_HUB = '[[registry]]\nprefix = "docker.io"\nlocation = "{0}"\ninsecure = true\n'


@pytest.mark.userns
@pytest.mark.registry
def test_the_first_program_builds_reads_and_pushes(
    img_for: ImgFor, registry: RegistryServer, busybox_layout: Path
) -> None:
    push(busybox_layout, f"{registry.address}/library/busybox:stable")
    img = img_for("root")
    shutil.copytree(REPOSITORY / "examples", img.home / "examples")
    (img.home / "registries.conf").write_text(_DOCKER_HUB.format(registry.address))
    (block,) = (
        each for each in all_blocks() if (each.document, each.language) == ("README.md", "python")
    )
    assert len([line for line in block.text.splitlines() if line]) == 5
    program = block.text.replace("registry.example.com", registry.address)
    (img.home / "first.py").write_text(program)

    done = subprocess.run(
        [img.python, "first.py"],
        cwd=img.home,
        env={
            "HOME": str(img.home),
            "IMG_STATE": str(img.state),
            "CONTAINERS_REGISTRIES_CONF": str(img.home / "registries.conf"),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "('httpd', '-f', '-p', '8080', '-h', '/srv/www')" in done.stdout
    assert "<pre>" in done.stdout
    assert done.stderr == ""
    pulled = img.with_state(img.home / "other")("pull", f"{registry.address}/team/server")
    assert done.stdout.split()[0] in pulled.stdout
