"""The image of img is built by img, and builds itself: with IMG_TESTS_ALL, for it takes minutes."""

import json
import os
import shutil
import tarfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.host import shared_things
from tests.support.host.docker_daemon import DockerDaemon
from tests.support.host.img_command import Img
from tests.support.host.machine import REPOSITORY, Account, in_memory, need_root, new_directory

_EPOCH = "1700000000"
_PYTHON = "3.11"  # of Debian 12, the base in these tests
_EXTRAS, _OF_THE_BUILD = ("cloud", "compose", "otel"), ("setuptools>=77", "wheel")
_BASE = "debian:trixie-slim"  # the name in the Dockerfile
_MOST_BYTES = 60_000_000  # of our layers; those of Debian's slim image have 30 million
_PATIENCE_S = 1800.0
_RESTRICTED = ("--user=1000:0", "--cap-drop=ALL", "--security-opt=no-new-privileges")


pytestmark = [
    pytest.mark.userns,
    pytest.mark.network,
    pytest.mark.timeout(_PATIENCE_S),
    pytest.mark.all_tests,
]


def _download(place: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *(each for extra in _EXTRAS for each in extras[extra])]
    (place / "wheels").mkdir()
    options = ("--only-binary=:all:", f"--python-version={_PYTHON}", "-d", place / "wheels")
    python = REPOSITORY / ".venv/bin/python"
    shared_things.run(python, "-m", "pip", "download", "-q", *options, *needed, *_OF_THE_BUILD)


@pytest.fixture(scope="module")
def inputs(debian_layout: Path) -> Path:
    """Return a directory with the context, the base and the wheels, which all users can read."""

    def make(place: Path) -> None:
        _download(place)
        shutil.copytree(debian_layout, place / "base")
        ignored = shutil.ignore_patterns(".*", "tests", "docs", "*.egg-info", "__pycache__")
        shutil.copytree(REPOSITORY, place / "context", symlinks=True, ignore=ignored)
        shutil.copy(REPOSITORY / ".dockerignore", place / "context")
        shared_things.run("chmod", "-R", "a+rX", place)

    return shared_things.once("official-image", make)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The image that a user with subordinate ids built."""

    digest: str
    config: Mapping[str, Any]
    layers: Sequence[Mapping[str, Any]]  # descriptors
    archive: Path  # in docker's form


@pytest.fixture(scope="module")
def built(inputs: Path, installed: Path, user: Account) -> Iterator[Built]:
    place = new_directory("official", shared_things.directory())
    os.chown(place, user.uid, user.gid)
    img = Img(
        command=(installed / "img",),
        account=user,
        state=place / "state",
        home=place,
        environment={"SOURCE_DATE_EPOCH": _EPOCH},
    )
    metadata, archive = place / "metadata.json", place / "archive.tar"
    img(*_words(inputs, metadata), timeout_s=_PATIENCE_S)
    img("save", "--format=oci", "--output", archive, "official")
    layers = _layers_in(archive)
    img("save", "--output", archive, "official")
    (image,) = json.loads(img("inspect", "official").stdout)
    yield Built(
        digest=json.loads(metadata.read_text())["containerimage.digest"],
        config=image["Config"],
        layers=layers,
        archive=archive,
    )
    img("unshare", "rm", "-rf", place / "state")
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def docker(built: Built) -> Iterator[DockerDaemon]:
    need_root()
    base = new_directory("img-official", in_memory())
    running = DockerDaemon(base)
    running.client("load", "--input", built.archive)
    yield running
    running.close()
    shutil.rmtree(base, ignore_errors=True)


def _words(inputs: Path, metadata: str | Path) -> list[str]:
    return [
        *("build", "--progress=plain", f"--metadata-file={metadata}", "--tag=official"),
        *("--build-context", f"{_BASE}=oci-layout://{inputs}/base"),
        *("--build-context", f"wheels={inputs}/wheels", "--build-arg", "PIP_NO_INDEX=1"),
        f"{inputs}/context",
    ]


def test_it_is_small_and_needs_no_root(built: Built) -> None:
    _, *own_layers = built.layers

    assert sum(layer["size"] for layer in own_layers) < _MOST_BYTES
    assert built.config["User"] == "1000:0"


# By unshare with one id, and by proot.
@pytest.mark.parametrize("options", [["--security-opt=seccomp=unconfined"], []], ids=len)
def test_it_builds_itself_without_privileges_to_the_same_digest(
    options: list[str], inputs: Path, built: Built, docker: DockerDaemon
) -> None:
    said = _inside(docker, inputs, options)

    assert {"CapEff:\t0000000000000000", "NoNewPrivs:\t1"} <= set(said.splitlines())
    assert "Kaniko version" in said and "warmer" in said
    assert json.loads(said.splitlines()[-1]) == built.digest, said[-3000:]


def _layers_in(archive: Path) -> Sequence[Mapping[str, Any]]:
    """Return the descriptors of the layers of the one image in an OCI archive."""
    with tarfile.open(archive) as tar:

        def document(name: str) -> Any:
            file = tar.extractfile(name)
            assert file is not None
            return json.load(file)

        (descriptor,) = document("index.json")["manifests"]
        manifest = document(f"blobs/{descriptor['digest'].replace(':', '/')}")
    layers: Sequence[Mapping[str, Any]] = manifest["layers"]
    return layers


def _inside(docker: DockerDaemon, inputs: Path, options: list[str]) -> str:
    """Return the output of a build in a container of the image, its digest as the last line."""
    script = (
        "grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; warmer --help | head -n 1;"
        ' executor version && img "$@" 2>&1;'
        " grep -o '\"sha256:[0-9a-f]*\"' /state/metadata | head -n 1"
    )
    return docker.client(
        *("run", "--rm", "--network=host", *_RESTRICTED, *options),
        *("--tmpfs=/state:exec,mode=1777,size=4g", "--tmpfs=/tmp:exec,mode=1777"),
        *(f"--volume={inputs}:{inputs}:ro", f"--env=SOURCE_DATE_EPOCH={_EPOCH}"),
        *("--env=IMG_STATE=/state/img", "--env=IMG_STATE_TRUSTED=1"),
        *("official", "sh", "-c", script, "sh", *_words(inputs, "/state/metadata")),
    )
