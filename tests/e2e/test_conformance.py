"""Hundreds of Dockerfiles give the same images as BuildKit."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.host.docker_daemon import DockerDaemon
from tests.support.host.img_command import Img, ImgFor
from tests.support.host.machine import conformance, need_root, program
from tests.support.servers.registry_server import RegistryServer

# Needed of the machine: the case itself has to be set up by root.
_NEEDS_OF_ROOT = "root-setup"
_TIMEOUT_S = 1500.0


def with_links_restored(cases: Path, place: Path) -> Path:
    """Return a copy of the cases with their symbolic links.

    A checkout without links (git's core.symlinks=false) has files in their places, which hold the
    target's name and no newline.
    """
    copy = shutil.copytree(cases, place / "cases", symlinks=True)
    os.chmod(copy, 0o755)
    for file in copy.rglob("context/**/*"):
        target = _target(file)
        if target:
            file.parent.chmod(0o755)
            file.unlink()
            file.symlink_to(target)
    return copy


def _target(file: Path) -> str:
    if file.is_symlink() or not file.is_file() or file.name == ".dockerignore":
        return ""
    text = file.read_bytes()[:200].decode("utf-8", "replace")
    if not text or re.search(r"[\s\0]", text) or text.startswith("/"):
        return ""
    meant = Path(os.path.normpath(file.parent / text))
    return text if meant != file and meant.exists() else ""


@pytest.mark.userns
@pytest.mark.registry
@pytest.mark.timeout(_TIMEOUT_S)
@pytest.mark.usefixtures("busybox", "debian")
def test_every_case_comes_out_as_buildkit_builds_it(
    img: Img, registry: RegistryServer, workplace: Path
) -> None:
    """Have each user build all cases, through the store, with IMG_TESTS_ALL; else see _part()."""
    for needed in ("skopeo", "git", "zstd", "ssh-agent"):
        program(needed)
    every = "IMG_TESTS_ALL" in os.environ
    report = img.home / "report.json"
    cases = with_links_restored(conformance("e2e"), workplace)
    command = " ".join(map(str, img.words))
    output, export = "-o type=oci,dest={out}", []  # one process for each case
    if every:
        output, export = "", ["--export", f"{command} save -o {{out}} --format oci {{tag}}"]
    runner = Img(
        command=(
            img.python,
            conformance("e2e_runner.py"),
            "--registry",
            registry.address,
            "--builder",
            f"{command} build -t {{tag}} -f {{dockerfile}} {{flags}} {output} {{context}}",
            *export,
            "--out-format",
            "oci-archive",
            "--json",
            report,
            "-j2",
            *(() if img.account.uid == 0 else ("--skip-needs", _NEEDS_OF_ROOT)),
            *(() if every else ("--only", _part(cases, is_root=img.account.uid == 0))),
        ),
        account=img.account,
        state=img.state,
        home=img.home,
        environment={"TMPDIR": str(img.home)},
    )
    output, errors = _finished(runner.start(cases))

    assert report.exists(), output + errors
    results = json.loads(report.read_text())
    failed = {case["name"]: case["errors"] for case in results if case["result"] == "FAIL"}
    assert not failed, "\n\n".join(
        f"{name}: {'; '.join(why)[:1500]}" for name, why in failed.items()
    )
    assert len(results) > (300 if every else 150)


# What a case may say of layers, of which another engine shows the result alone.
_OF_LAYERS = re.compile(r'"(layer_paths|same_layers_as_first|same_digest_as_first|blob_none)"')


@pytest.mark.userns
@pytest.mark.registry
@pytest.mark.peers
@pytest.mark.timeout(_TIMEOUT_S)
@pytest.mark.usefixtures("busybox", "debian")
@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_other_engines_show_the_same_files(
    img_for: ImgFor, registry: RegistryServer, workplace: Path, engine: str
) -> None:
    """Run a part of the cases; with IMG_TESTS_ALL all that need no layers."""
    need_root()
    img = img_for("root")
    place = workplace / "engine"
    place.mkdir()
    daemon = DockerDaemon(place) if engine == "docker" else None
    if engine == "podman":
        program("podman")
    command = img.command[0]
    archive = "{out}.tar"
    output = f"-o type=docker,dest={archive}"
    shown = Path(__file__).parents[1] / "support" / "images" / "shown_by.py"
    store = f"{place}/socket" if daemon else place
    report = img.home / "report.json"
    runner = Img(
        command=(
            img.python,
            conformance("e2e_runner.py"),
            "--registry",
            registry.address,
            "--builder",
            f"{command} build -t {{tag}} -f {{dockerfile}} {{flags}} {output} {{context}}",
            "--export",
            f"{img.python} {shown} {engine} {store} {archive} {{out}}",
            "--out-format",
            "oci-archive",
            "--no-sanity",
            "--json",
            report,
            "-j1",  # podman, loading one image while it removes another, loses layers of both
            "--only",
            _of_files(1 if "IMG_TESTS_ALL" in os.environ else 24),
        ),
        account=img.account,
        state=img.state,
        home=img.home,
        environment={"TMPDIR": str(img.home)},
    )
    try:
        output, errors = _finished(runner.start(with_links_restored(conformance("e2e"), workplace)))
    finally:
        if daemon is not None:
            daemon.close()
        elif os.path.ismount(f"{place}/s/overlay"):  # podman leaves it mounted on itself
            subprocess.run(["umount", "--lazy", f"{place}/s/overlay"], check=True)

    assert report.exists(), output + errors
    results = json.loads(report.read_text())
    failed = {case["name"]: case["errors"] for case in results if case["result"] == "FAIL"}
    assert not failed, "\n\n".join(f"{name}: {why}"[:1500] for name, why in failed.items())
    assert len([case for case in results if case["result"] == "PASS"]) > 5


def _of_files(each: int) -> str:
    """Return an expression for one of ``each`` cases that ask for nothing but files and configs."""
    cases = sorted(conformance("e2e").glob("*/case.json"))
    names = [case.parent.name for case in cases if not _OF_LAYERS.search(case.read_text())]
    return f"^({'|'.join(map(re.escape, names[::each]))})$"


def _part(cases: Path, *, is_root: bool) -> str:
    """Return an expression for half of the cases for a user, and for root all others.

    What is for root alone root builds in any case.
    """
    names = sorted(case.parent.name for case in cases.glob("*/case.json"))
    theirs = names[::2]
    if is_root:
        theirs = [name for name in names if name not in theirs or _is_for_root(cases / name)]
    return f"^({'|'.join(map(re.escape, theirs))})$"


def _is_for_root(case: Path) -> bool:
    return _NEEDS_OF_ROOT in (case / "case.json").read_text("utf-8", "replace")


def _finished(process: "subprocess.Popen[bytes]") -> tuple[str, str]:
    try:
        output, errors = process.communicate(timeout=_TIMEOUT_S)
    except BaseException:
        os.killpg(process.pid, 15)
        process.wait()
        raise
    return output.decode(), errors.decode()
