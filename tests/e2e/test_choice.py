"""The first line of a build names the choices of ``auto``, with the reason for a slower one."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from img.adapters.linux.boot import boot_name
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import need_root, program

pytestmark = pytest.mark.userns

_OPTIONS = ("build", "--progress=plain", "-t", "app")


@pytest.fixture
def context(write_context: WriteContext) -> Path:
    place = write_context(
        'FROM scratch\nCOPY busybox /\nRUN ["/busybox", "true"]\n',
        {"busybox": Path(program("busybox")).read_bytes()},
    )
    (place / "busybox").chmod(0o755)
    return place


def first_line(stderr: str) -> str:
    return next(line for line in stderr.splitlines() if line.startswith("#"))


def test_the_best_needs_no_reason(img: Img, context: Path) -> None:
    built = img(*_OPTIONS, context)

    assert first_line(built.stderr) == "#1 [internal] executor unshare, snapshots overlay"


def test_a_build_that_runs_nothing_says_it_too_and_so_does_the_log(
    img: Img, write_context: WriteContext
) -> None:
    context = write_context("FROM scratch\nCOPY f /\n", {"f": ""})

    built = img("-d", *_OPTIONS, context)

    assert first_line(built.stderr) == "#1 [internal] executor unshare, snapshots overlay"
    assert "by='executor unshare, snapshots overlay'" in built.stderr


@pytest.mark.parametrize("asked", ["naive", "native", "overlayfs", "fuse", "fuse-overlayfs"])
def test_names_of_backends_are_those_of_all_versions(
    asked: str, img_for: ImgFor, write_context: WriteContext
) -> None:
    context = write_context("FROM scratch\nCOPY f /\n", {"f": ""})
    meant = {"native": "naive", "overlayfs": "overlay", "fuse-overlayfs": "fuse"}

    built = img_for("root")("--backend", asked, *_OPTIONS, context)

    expected = f"#1 [internal] executor unshare, snapshots {meant.get(asked, asked)}"
    assert first_line(built.stderr) == expected


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("one-id", r"user \d+ has no ids of its own to build with in /etc/subuid"),
        ("no-new-privileges", r"the user namespace got no ids: newuidmap: .*"),
    ],
)
def test_emulation_is_said_with_the_reason(
    who: str, reason: str, img_for: ImgFor, context: Path
) -> None:
    built = img_for(who)(*_OPTIONS, context)

    one_id = r"executor unshare with one id, the others emulated \(full\)"
    expected = rf"#1 \[internal\] {one_id}, snapshots overlay; {reason}"
    assert re.fullmatch(expected, first_line(built.stderr)), first_line(built.stderr)


def test_what_was_asked_for_needs_no_reason(img_for: ImgFor, context: Path) -> None:
    built = img_for("root")(*_OPTIONS, "--executor", "chroot", context)

    assert first_line(built.stderr) == "#1 [internal] executor chroot, snapshots naive"


def test_a_file_system_that_takes_no_overlay_is_tried_once(
    img_for: ImgFor, context: Path, workplace: Path
) -> None:
    need_root()
    for name in ("lower", "upper", "work", "merged"):
        (workplace / name).mkdir()
    img = img_for("root")
    places = ",".join(f"{name}dir={workplace}/{name}" for name in ("lower", "upper", "work"))
    build = (
        f"{img.command[0]} -s {workplace}/merged/state {' '.join(_OPTIONS)} --no-cache {context}"
    )
    doctor = f"{img.command[0]} -s {workplace}/merged/state doctor"
    script = f"mount -t overlay -o {places} o {workplace}/merged && {build} && {build} && {doctor}"

    done = subprocess.run(
        [program("unshare"), "-m", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(workplace), "LANG": "C.UTF-8"},
    )

    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("#1 [internal]")]
    where = f"{workplace}/merged/state/snapshots/same/{boot_name()}/overlay"
    expected = (
        "#1 [internal] executor unshare, snapshots naive; "
        f"the kernel mounts no overlay on {where}: Invalid argument"
    )
    assert lines == [expected, f"{expected}, when last tried: `img doctor` tries again"]
    assert "--backend auto: naive\n  because of overlay: the kernel mounts no" in done.stdout
