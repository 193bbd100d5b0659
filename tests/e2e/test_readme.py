"""The commands of the README work when they are pasted, one after the other."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import push
from tests.support.host.img_command import ImgFor
from tests.support.host.machine import REPOSITORY, program
from tests.support.servers.registry_server import RegistryServer

# What another test runs, or what asks for something.
_NOT_HERE = ("python3 -m venv", "sh tests/run.sh", ". .venv/bin/activate", "img login")
_REGISTRIES = """
[[registry]]
prefix = "{prefix}"
location = "{location}"
insecure = true
"""


@pytest.mark.userns
@pytest.mark.registry
@pytest.mark.peers
def test_the_commands_of_the_readme(
    img_for: ImgFor, registry: RegistryServer, busybox_layout: Path, workplace: Path
) -> None:
    img = img_for("root")
    push(busybox_layout, f"{registry.address}/library/busybox:stable")
    shutil.copytree(REPOSITORY / "examples", img.home / "examples")
    (img.home / "registries.conf").write_text(
        "".join(
            _REGISTRIES.format(prefix=prefix, location=registry.address)
            for prefix in ("docker.io", "registry.example.com")
        )
    )
    commands = [line for line in _commands() if not line.startswith(_NOT_HERE)]
    assert len(commands) > 5

    done = subprocess.run(
        ["/bin/sh", "-e", "-x", "-c", "\n".join(commands)],
        cwd=img.home,
        env={
            "PATH": os.pathsep.join(
                (str(_own_podman(workplace)), str(Path(img.command[0]).parent), os.environ["PATH"])
            ),
            "HOME": str(img.home),
            "IMG_STATE": str(img.state),
            "CONTAINERS_REGISTRIES_CONF": str(img.home / "registries.conf"),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "#5 CACHED" in done.stderr
    assert (img.home / "rootfs/srv/www/index.html").exists()


def _commands() -> list[str]:
    text = (REPOSITORY / "README.md").read_text()
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def _own_podman(workplace: Path) -> Path:
    programs = workplace / "bin"
    programs.mkdir()
    places = " ".join(f"--{name} {workplace}/{name}" for name in ("root", "runroot", "tmpdir"))
    options = f"{places} --storage-driver vfs --events-backend none"
    (programs / "podman").write_text(f'#!/bin/sh\nexec {program("podman")} {options} "$@"\n')
    (programs / "podman").chmod(0o755)
    return programs
