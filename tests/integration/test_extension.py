"""An adapter of another package, installed with pip and chosen by name (docs/extending.md)."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from img.testing.blob_store import BlobStoreContract
from img.testing.image_store import ImageStoreContract

PACKAGE = Path(__file__).parent.parent / "extension_package"
ROOT = PACKAGE.parent.parent

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory into which pip installed the package from its source."""
    work = tmp_path_factory.mktemp("extension")
    source, site = work / "source", work / "site"
    shutil.copytree(PACKAGE, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, *offline, "--target", site, source], capture_output=True, text=True, check=False
    )
    if done.returncode and (
        "No module named pip" in done.stderr or "BackendUnavail" in done.stderr
    ):
        pytest.skip("needs pip and setuptools where the tests run")
    assert done.returncode == 0, done.stderr
    return site


@pytest.fixture
def img(site: Path, tmp_path: Path) -> Run:
    """Return the img command, with the package installed."""

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        paths = [str(site), str(ROOT), os.environ.get("PYTHONPATH", "")]
        return subprocess.run(
            [sys.executable, "-m", "img", "--state", str(tmp_path / "state"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **environment},
        )

    return run


@pytest.fixture
def context(tmp_path: Path) -> Path:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY hello /\n")
    (context / "hello").write_text("Hello!\n")
    return context


def test_images_are_kept_by_the_store_that_was_chosen(
    img: Run, context: Path, tmp_path: Path
) -> None:
    built = img("build", "-t", "hello", str(context), IMG_STORE="one-file")

    assert built.returncode == 0, built.stderr
    listed = img("ls", IMG_STORE="one-file").stdout
    assert "hello:latest" in listed
    assert (tmp_path / "state" / "one-file.db").is_file()
    assert not (tmp_path / "state" / "blobs").exists()
    config = json.loads(img("inspect", "--config", "hello", IMG_STORE="one-file").stdout)
    assert config["history"][0]["created_by"] == "COPY hello / # buildkit"


def test_an_image_in_it_is_as_good_as_any(img: Run, context: Path, tmp_path: Path) -> None:
    archives = []
    for store in ("one-file", "files"):
        archive = tmp_path / f"{store}.tar"
        environment = {"IMG_STORE": store, "SOURCE_DATE_EPOCH": "0"}
        assert img("build", "-t", "hello", str(context), **environment).returncode == 0
        assert img("save", "-o", str(archive), "hello", **environment).returncode == 0
        archives.append(archive.read_bytes())

    assert archives[0] == archives[1]


def test_removing_the_image_leaves_no_blob_of_it(img: Run, context: Path) -> None:
    img("build", "-t", "hello", str(context), IMG_STORE="one-file")

    assert img("rm", "hello", IMG_STORE="one-file").returncode == 0
    assert img("prune", "--all", IMG_STORE="one-file").returncode == 0

    used = img("du", IMG_STORE="one-file").stdout
    assert re.search(r"Reclaimable:\s+0B", used)
    assert [line.split()[0] for line in used.splitlines()[1:-2]] == ["state"]


def test_a_name_that_nobody_has_is_refused_with_those_there_are(img: Run) -> None:
    refused = img("ls", IMG_STORE="no-such")

    assert refused.returncode == 1
    assert "no-such is not a valid blob store" in refused.stderr
    assert "files, oci-layout, one-file" in refused.stderr


def test_its_stores_keep_the_promises_of_their_ports(site: Path, tmp_path: Path) -> None:
    promises = tmp_path / "promises"
    shutil.copytree(PACKAGE / "promises", promises)
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", f"--rootdir={promises}"]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, promises],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"},
    )

    assert done.returncode == 0, done.stdout
    suites = (BlobStoreContract, ImageStoreContract)
    promised = [name for suite in suites for name in vars(suite) if name.startswith("test_")]
    assert f"{len(promised)} passed" in done.stdout
