"""Builds on a cluster: the layers that the client fetches, pushes and exports."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.domain.digest import Digest
from tests.support.host.machine import program
from tests.support.servers.registry_server import RegistryServer

pytestmark = [pytest.mark.userns, pytest.mark.registry]

DOCKERFILE = """\
FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
FROM base
RUN echo a >/a
COPY --from=base /bin/sh /shell
"""


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture
def context(tmp_path: Path) -> Path:
    directory = tmp_path / "context"
    directory.mkdir()
    shutil.copy(program("busybox"), directory / "busybox")
    (directory / "Dockerfile").write_text(DOCKERFILE)
    return directory


def build(state: Path, *options: str, workers: str = "workers") -> str:
    """Build, on a worker of this machine if ``options`` say so; return the progress.

    Workers with other names have other states.
    """
    words = [sys.executable, "-m", "img", "build", "--state", str(state), "--progress=plain"]
    environment = {
        **os.environ,
        "SOURCE_DATE_EPOCH": "1",
        "XDG_DATA_HOME": str(state.parent / workers),
    }
    done = subprocess.run(
        [*words, *options], env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def stored(state: Path) -> set[Digest]:
    return {Digest("sha256", path.name) for path in (state / "blobs/sha256").iterdir()}


def layers_of(layout: Path) -> list[Digest]:
    """Return the layers of the only manifest in an OCI layout."""
    index = json.loads((layout / "index.json").read_text())
    digest = Digest.parse(index["manifests"][0]["digest"])
    manifest = json.loads((layout / "blobs/sha256" / digest.encoded).read_text())
    return [Digest.parse(each["digest"]) for each in manifest["layers"]]


def test_layers_of_workers_are_mounted_from_the_registry_of_the_store(
    registry: RegistryServer, context: Path, tmp_path: Path
) -> None:
    image = f"{registry.address}/app:1"
    options = ("--cluster=local:1", f"--cluster-store=registry:{registry.address}/layers")
    output = f"type=image,name={image},push=true,store=false"

    build(tmp_path / "client", *options, "-o", output, str(context))

    log = registry.log.read_text()
    mounted = set(re.findall(r"POST /v2/app/blobs/uploads/\?mount=(sha256:\w+)\S* \S+ 201", log))
    uploaded = re.findall(r'"PUT /v2/app/blobs/', log)
    here = stored(tmp_path / "client")
    subprocess.run(
        [
            *(sys.executable, "-m", "img", "copy", "--tls-verify=false"),
            *(f"docker://{image}", f"oci:{tmp_path / 'copy'}"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    layers = layers_of(tmp_path / "copy")
    assert mounted == {str(each) for each in layers}
    assert len(uploaded) == 1  # the config
    assert len(layers) == 4
    assert here.intersection(layers) == {layers[0]}  # which was packed from the context


def test_layers_of_workers_are_fetched_for_a_push_elsewhere_and_for_a_cache(
    registry: RegistryServer, context: Path, tmp_path: Path
) -> None:
    (tmp_path / "layers").mkdir()
    options = ("--cluster=local:1", f"--cluster-store=dir:{tmp_path / 'layers'}")
    output = f"type=image,name={registry.address}/app:1,push=true,store=false"
    cache = f"type=local,dest={tmp_path / 'cache'},mode=max"

    build(tmp_path / "client", *options, "-o", output, f"--cache-to={cache}", str(context))
    again = build(
        tmp_path / "other", f"--cache-from=type=local,src={tmp_path / 'cache'}", str(context)
    )

    assert "Steps: 4 cached, 0 run" in again


def test_the_cache_mount_of_a_worker_that_is_gone_is_taken_over(
    context: Path, tmp_path: Path
) -> None:
    (tmp_path / "layers").mkdir()
    (context / "Dockerfile").write_text(
        "FROM scratch\nCOPY busybox /bin/sh\n"
        "RUN --mount=type=cache,target=/c echo more >>/c/log && cat /c/log\n"
    )
    options = ("--cluster=local:1", f"--cluster-store=dir:{tmp_path / 'layers'}", "--no-cache")

    for number in (1, 2):
        progress = build(
            tmp_path / "client", *options, "-t", "app", str(context), workers=f"workers-{number}"
        )
        assert len(re.findall(r"^#\d+ [\d.]+ more$", progress, re.M)) == number
