"""The image does not know where it was built: every environment, executor and snapshotter.

docs/matrix.md shows what is tested here, and is made from it (tests/matrix/page.py).
"""

import json
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.matrix.cells import CELLS, ENVIRONMENTS
from tests.matrix.environments import Container, Host, Json, Matter, Ran
from tests.matrix.matter import make_matter
from tests.matrix.page import PAGE, render
from tests.matrix.pods import RESTRICTED
from tests.matrix.table import Builds, Differs, Environment, Fails, MayDiffer, Refuses, cases
from tests.support.host import shared_things
from tests.support.host.docker_daemon import DockerDaemon
from tests.support.host.machine import (
    REPOSITORY,
    Account,
    in_memory,
    need_root,
    new_directory,
    program,
)

pytestmark = pytest.mark.userns

_ENVIRONMENTS = {environment.name: environment for environment in ENVIRONMENTS}
_REFERENCE = Environment(name="reference", title="", who="root")
_SHOWN = 12  # differences of a layer
# Each executor, each backend and each kind of user is in another cell that is always built.
_REPEATED = {
    "root-unshare-naive", "root-crun-naive", "root-ext4-unshare-naive", "user-runc-naive",
    "user-unshare-naive", "user-overlay-auto-auto", "one-id-ext4-unshare-naive",
    "no-new-privileges-unshare-naive", "root-ext4-unshare-fuse", "user-ext4-auto-auto",
    "docker-root-proot-naive", "pod-userns-user-auto-auto",
}  # fmt: skip
# What is in layers depends on the snapshotter and the file system, what steps do on the executor.
_OF_FILES = (
    "archives", "copies", "deletions", "devices", "hardlinks", "kinds", "linkcounts", "times",
)  # fmt: skip
_OF_STEPS = (
    "debian:packages", "debian:accounts", "debian:attributes", "devices", "mounts", "shells",
    "stages", "world",
)  # fmt: skip
# The Dockerfiles of cells that differ from another in one thing: the others are built there.
_PARTS = {
    "root-auto-auto": ("hardlinks",),  # the executor and snapshotter of the reference
    "root-ext4-auto-auto": _OF_FILES,
    "root-overlay-auto-auto": _OF_FILES,
    "one-id-overlay-auto-auto": _OF_FILES,
    "one-id-ext4-auto-auto": _OF_FILES,
    "user-unshare-fuse": _OF_FILES,  # root-unshare-fuse has the rest
    "root-runc-overlay": _OF_STEPS,
    "root-chroot-naive": _OF_STEPS,  # docker-root-auto-auto has the rest
    "user-crun-overlay": _OF_STEPS,
    "no-new-privileges-auto-auto": _OF_STEPS,
    "root-proot-naive": ("world",),
    "user-chroot-naive": ("devices", "world"),
    # What differs from other containers is how steps get their root, their ids and their devices.
    "pod-restricted-auto-auto": ("world",),
    "pod-random-user-auto-auto": ("world",),
    "pod-noexec-auto-auto": ("shells", "world"),
    "pod-memory-auto-auto": ("devices", "shells", "world"),
    "pod-no-capabilities-auto-auto": ("copies", "devices", "world"),
    "pod-admin-auto-auto": ("mounts", "world"),
    "pod-unconfined-auto-auto": ("world",),
    "pod-userns-auto-auto": ("devices", "mounts"),
    "pod-userns-restricted-auto-auto": ("devices",),
    "pod-userns-unconfined-auto-auto": ("world",),
}


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a directory in memory; its files may belong to any user."""
    directory = new_directory("matrix", shared_things.directory())
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def matter(busybox_layout: Path, small_debian_layout: Path, user: Account) -> Matter:
    """Return the Dockerfiles, and the images of root on overlays: once for all workers."""
    need_root()
    for name in ("unshare", "setpriv", "mkfs.ext4", "crun", "runc", "proot", "fuse-overlayfs"):
        program(name)

    def make(place: Path) -> None:
        make_matter(place, busybox_layout, small_debian_layout)
        shared_things.run("chmod", "-R", "a+rX", place)
        work = place / "reference"
        work.mkdir()
        order = Matter(place=place).order("unshare", "overlay", list(cases()))
        outcome = Host(user=user).run(_REFERENCE, work, order).outcome
        shutil.rmtree(work)
        (place / "reference.json").write_text(json.dumps(outcome))

    made = shared_things.once("matrix", make)
    reference = json.loads((made / "reference.json").read_text())
    errors = {case: image for case, image in reference.items() if "error" in image}
    assert not errors
    return Matter(place=made, reference=reference)


@pytest.fixture(scope="module")
def docker() -> Iterator[DockerDaemon]:
    with _daemon() as running:
        yield running


@pytest.fixture(scope="module")
def docker_with_user_namespaces(user: Account) -> Iterator[DockerDaemon]:
    with _daemon(remap=user.name) as running:
        yield running


@contextmanager
def _daemon(remap: str = "") -> Iterator[DockerDaemon]:
    need_root()
    base = new_directory("img-matrix", in_memory())
    base.chmod(0o711)
    running = DockerDaemon(base, remap=remap)
    yield running
    running.close()
    shutil.rmtree(base, ignore_errors=True)


def _run(
    cell: Builds | Refuses, matter: Matter, place: Path, request: pytest.FixtureRequest
) -> Ran:
    environment = _ENVIRONMENTS[cell.environment]
    wanted = ["hardlinks"]
    if isinstance(cell, Builds):  # the result of another program says nothing about img
        wanted = [
            case for case in _cases(cell) if not isinstance(cell.exceptions.get(case), MayDiffer)
        ]
    order = matter.order(cell.executor, cell.snapshotter, wanted)
    if environment.in_docker:
        kind = "docker_with_user_namespaces" if environment.remapped else "docker"
        daemon: DockerDaemon = request.getfixturevalue(kind)
        return Container(daemon=daemon, shown=matter.place).run(environment, place, order)
    host = Host(user=request.getfixturevalue("user"))
    return host.run(environment, place, order)


def _named(cell: Builds | Refuses) -> str:
    return f"{cell.environment}-{cell.executor}-{cell.snapshotter}"


def _cases(cell: Builds) -> Collection[str]:
    assert {*_OF_FILES, *_OF_STEPS} == cases().keys()
    return cases() if "IMG_TESTS_ALL" in os.environ else _PARTS.get(_named(cell), cases())


def _built() -> list[Builds]:
    every = [cell for cell in CELLS if isinstance(cell, Builds)]
    assert {_named(cell) for cell in every} >= _REPEATED | _PARTS.keys()
    if "IMG_TESTS_ALL" in os.environ:
        return every
    return [cell for cell in every if _named(cell) not in _REPEATED]


@pytest.mark.parametrize("cell", _built(), ids=_named)
def test_the_images_are_what_root_builds_on_overlays(
    cell: Builds, matter: Matter, place: Path, request: pytest.FixtureRequest
) -> None:
    ran = _run(cell, matter, place, request)

    assert ran.announced.startswith(cell.announced), ran.announced
    faults = {}
    for case, image in ran.outcome.items():
        fault = _fault(cell, case, image, matter.reference[case], ran.shown)
        if fault:
            faults[case] = fault
    assert not faults, "\n".join(f"{case}: {fault}" for case, fault in faults.items())


def _fault(cell: Builds, case: str, image: Json, reference: Json, shown: str) -> str:
    """Return the unexpected parts of the outcome."""
    differences = image.get("error") or "\n".join(_differences(image, reference))
    match cell.exceptions.get(case):
        case Fails(text=text):
            said = "error" in image and (text in shown or text in image["error"])
            return "" if said else f"does not fail with {text!r}: {image}"
        case Differs():
            differs = image.get("digest", reference["digest"]) != reference["digest"]
            return "" if differs else f"does not differ any more: {differences}"
        case _:
            return "" if image.get("digest") == reference["digest"] else differences or f"{image}"


def _differences(image: Json, reference: Json) -> Iterator[str]:
    if image["digest"] == reference["digest"]:
        return
    for number, (ours, theirs) in enumerate(zip(image["layers"], reference["layers"], strict=True)):
        paths = [path for path in sorted({*ours, *theirs}) if ours.get(path) != theirs.get(path)]
        for path in paths[:_SHOWN]:
            yield f"layer {number}: {path}: {ours.get(path)}, not {theirs.get(path)}"
        digests = [each["digests"][number] for each in (image, reference)]
        if not paths and len(set(digests)) > 1:
            yield f"layer {number}: {list(ours)}, not {list(theirs)}, or other bytes of these"
    for document in ("config", "manifest"):
        ours, theirs = image[document], reference[document]
        for key in sorted({*ours, *theirs}):
            if ours.get(key) != theirs.get(key):
                yield f"{document} {key}: {ours.get(key)}, not {theirs.get(key)}"


@pytest.mark.parametrize("cell", [c for c in CELLS if isinstance(c, Refuses)], ids=_named)
def test_what_cannot_be_done_is_refused_with_what_to_do(
    cell: Refuses, matter: Matter, place: Path, request: pytest.FixtureRequest
) -> None:
    (image,) = _run(cell, matter, place, request).outcome.values()

    assert cell.error in image.get("error", ""), image
    assert "\n" not in image["error"]


# Climbs from a directory that lies outside of the root of the process (chroot(2), "NOTES").
_CLIMB = """FROM debian
RUN perl -e 'mkdir "/x"; chroot "/x" or die "$!"; chdir ".." for 1 .. 64; chroot "."; \
        print -e "state" ? "outside" : "still inside"'; \
    umount -l /; ls -d /state /proc/1/root/state; true
"""


def test_no_step_leaves_a_root_that_covers_the_old_one(
    docker: DockerDaemon, matter: Matter, place: Path
) -> None:
    (place / "Dockerfile").write_text(_CLIMB)
    admin = _ENVIRONMENTS["pod-admin"]
    shown = [f"--volume={path}:{path}:ro" for path in (matter.place, place)]
    base = f"--build-context=debian=oci-layout://{matter.place}/debian"
    build = f"build --progress=plain --state {admin.state} {base} {place}"

    told = docker.run(f"cd {REPOSITORY} && {sys.executable} -m img {build}", *admin.options, *shown)

    assert told.returncode == 0, told.stderr
    assert "still inside" in told.stderr
    assert "/: must be superuser to unmount" in told.stderr
    assert told.stderr.count("No such file or directory") == 2


def test_in_a_pod_doctor_names_the_settings_of_pods(docker: DockerDaemon) -> None:
    script = f"cd {REPOSITORY} && exec {sys.executable} -m img doctor --state /tmp/state"

    told = docker.run(script, *RESTRICTED, "--env=HOME=/tmp", "--env=KUBERNETES_SERVICE_HOST=::1")

    assert told.returncode == 0, told.stderr
    for setting in (
        "securityContext.seccompProfile: {type: Unconfined}",
        "appArmorProfile: {type: Unconfined}",
        "hostUsers: false",
        "securityContext.allowPrivilegeEscalation: true",
        "securityContext.runAsUser: 0, without capabilities.drop",
    ):
        assert setting in told.stdout, told.stdout
    assert "--executor auto: proot" in told.stdout


def test_the_page_says_what_is_tested() -> None:
    assert render() in PAGE.read_text(encoding="utf-8"), "run python -m tests.matrix.page"
