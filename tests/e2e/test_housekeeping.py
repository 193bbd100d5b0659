"""Room on the disk is seen, given back and kept within bounds; damage is noticed and mended."""

import hashlib
import itertools
import json
import os
import random
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import lacking, need_root
from tests.support.host.waiting import wait_until
from tests.support.servers.registry_server import RegistryServer

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_STATE_ERROR = 8
_PATIENCE_S = 120.0
_SLACK = 256 << 10  # bytes of SQLite's files that exist only while a process reads
_RUN = """\
FROM {base}
COPY big /
RUN --mount=type=cache,target=/cache,id=things \
    dd if=/dev/urandom of=/cache/a bs=1k count=600; dd if=/dev/urandom of=/made bs=1k count=400
"""


def used(img: Img, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in img("du", "--format=json", *arguments).stdout.splitlines()]


def on_disk(path: Path) -> int:
    done = subprocess.run(
        ["du", "-s", "--block-size=1", path], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[0])


def big_context(base: str, write_context: WriteContext, seed: int, name: str = "context") -> Path:
    content = random.Random(seed).randbytes(700_000)
    return write_context(_RUN.format(base=base), {"big": content}, name)


def blob(state: Path, description: str, img: Img) -> Path:
    (item,) = [item for item in used(img) if item["Description"] == description]
    (path,) = state.glob(f"**/blobs/sha256/{item['ID']}")
    return path


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"damaged")


# A step ends when all eight have begun: were there a lock around steps, none would.
_MEETING = """\
FROM {}
RUN --mount=type=cache,target=/here n={}; echo $n >/made; touch /here/$n; \
    for i in $(seq 1200); do [ $(ls /here | wc -l) = 8 ] && exit 0; sleep 0.1; done; exit 1
"""


# --- how much is used ---


@pytest.mark.parametrize("backend", ["overlay", "naive"])
@pytest.mark.parametrize("who", ["root", "user"])
def test_what_is_listed_is_what_the_disk_says(
    who: str, backend: str, img_for: ImgFor, busybox: str, write_context: WriteContext
) -> None:
    img = img_for(who)
    img("build", "-q", "-b", backend, "-t", "app", big_context(busybox, write_context, 1))
    (img.state / "tmp").mkdir(exist_ok=True)

    items = used(img)

    total = sum(item["Size"] for item in items)
    if who == "root":  # only root may look
        assert abs(total - on_disk(img.state)) < _SLACK
    by_kind = {kind: [i for i in items if i["Type"] == kind] for kind in (i["Type"] for i in items)}
    assert {"image", "snapshot", "cache-mount", "state"} <= by_kind.keys()
    (mount,) = by_kind["cache-mount"]
    assert 600 << 10 <= mount["Size"] < 700 << 10
    assert mount["Mutable"] and mount["Reclaimable"]
    assert all(not item["Reclaimable"] and item["KeptBy"] for item in by_kind["image"])
    assert 2 * (1 << 20) < total < 20 * (1 << 20)


def test_filters_choose_and_the_table_says_why(
    img_for: ImgFor, busybox: str, write_context: WriteContext
) -> None:
    img = img_for("root")
    img("build", "-q", "-t", "app", big_context(busybox, write_context, 1))

    assert [item["Type"] for item in used(img, "--filter", "type=cache-mount")] == ["cache-mount"]
    assert [item["Type"] for item in used(img, "-f", "type=exec.cachemount")] == ["cache-mount"]
    assert used(img, "-f", "until=24h") == []
    assert {item["Description"] for item in used(img, "-f", "COPY")} == {"COPY big /"}
    verbose = img("du", "--verbose", "-f", "COPY").stdout
    assert "Kept by:\tdocker.io/library/app:latest" in verbose
    img("du", "--filter", "colour=red", code=1)
    img("du", "--format", "{{.Size", code=1)
    img("prune", "--max-used-space", "much", code=1)


# --- giving room back ---


def test_prune_gives_back_what_no_image_needs_and_no_more(
    img_for: ImgFor, busybox: str, write_context: WriteContext
) -> None:
    img = img_for("root")
    img("build", "-q", "-t", "app", big_context(busybox, write_context, 1))
    img("build", "-q", "-t", "app", big_context(busybox, write_context, 2))
    before = on_disk(img.state)

    told = img("prune", "--dry-run", "--format", "json").stdout
    assert on_disk(img.state) == before
    gone = img("prune", "-f", "--format", "json").stdout

    assert {json.loads(line)["ID"] for line in told.splitlines()} == {
        json.loads(line)["ID"] for line in gone.splitlines()
    }
    assert {item["Type"] for item in used(img) if item["Reclaimable"]} == {"cache-mount", "history"}
    assert before - on_disk(img.state) > 2_000_000
    img("save", "-o", img.home / "app.tar", "app")
    img("prune", "--all")
    assert not [item for item in used(img) if item["Reclaimable"]]


def test_prune_leaves_what_was_used_last(
    img_for: ImgFor, busybox: str, write_context: WriteContext
) -> None:
    img = img_for("root")
    for seed in range(3):
        img("build", "-q", "-t", "app", big_context(busybox, write_context, seed))
        img("rm", "app")

    img("prune", "-a", "--max-used-space", "2500k")

    left = [item for item in used(img) if item["Reclaimable"]]
    assert 0 < sum(item["Size"] for item in left) <= 2500 << 10
    newest = img("build", "-t", "app", big_context(busybox, write_context, 2)).stderr
    assert re.search(r"^#(\d+) .*count=400\n#\1 CACHED$", newest, re.MULTILINE)
    oldest = img("build", "-t", "app", big_context(busybox, write_context, 0)).stderr
    assert not re.search(r"^#(\d+) .*count=400\n#\1 CACHED$", oldest, re.MULTILINE)


def test_builds_keep_the_cache_below_the_cap(
    img_for: ImgFor, busybox: str, write_context: WriteContext
) -> None:
    img = img_for("root").with_environment(IMG_MAX_CACHE="3m")

    for seed in range(4):
        img("build", "-q", "-t", "app", big_context(busybox, write_context, seed))
        free = sum(item["Size"] for item in used(img) if item["Reclaimable"])
        assert free <= 3 << 20
    img("save", "-o", img.home / "app.tar", "app")
    img.with_environment(IMG_MAX_CACHE="lots")("ls", code=1)


def test_what_a_build_uses_is_not_pruned_and_what_it_needs_comes_back(
    img_for: ImgFor, busybox: str, write_context: WriteContext, workplace: Path
) -> None:
    img = img_for("root")
    text = (
        "FROM {base} AS one\nRUN echo one >/one\nFROM {base}\nRUN {wait}\nCOPY --from=one /one /\n"
    )
    wait = "--mount=type=cache,target=/c sh -c 'touch /c/begun; sleep 2; cat /one || true'"
    context = write_context(text.format(base=busybox, wait=wait))
    img("pull", busybox)
    build = img.start("build", "-t", "app", context)
    wait_until(lambda: list(img.state.glob("mounts/*/*/data/begun")), "RUN begins")

    img("prune", "--all")
    img("prune", "--all")
    img("rm", busybox)

    output, errors = build.communicate(timeout=_PATIENCE_S)
    img.outcome(build, output, errors, 0)
    assert img("fsck").stdout.endswith("0 faults left\n")
    assert not (workplace / "nothing").exists()


_SUMMED = """\
FROM {base}
RUN head -c 20 /dev/urandom | sha256sum >/random; head -c 900000 /dev/urandom >/pad
RUN sha256sum /random >/sum
"""


def test_whatever_is_given_up_a_step_goes_with_the_files_that_it_was_made_from(
    img_for: ImgFor, busybox: str, write_context: WriteContext
) -> None:
    img = img_for("root")
    context = write_context(_SUMMED.format(base=busybox))
    other = write_context(f"FROM {busybox}\nRUN true\n", name="other")
    capped = img.with_environment(IMG_MAX_CACHE="900k")
    img("build", "-q", "-o", img.home / "first", context)

    losses: list[Callable[[], object]] = [
        lambda: capped("build", "-q", "-o", img.home / "other", other),
        lambda: img("prune", "--filter", "urandom"),
        lambda: img("prune", "--max-used-space", "900k"),
        lambda: blob(img.state, _SUMMED.splitlines()[1], img).unlink(),
    ]
    for number, lose in enumerate(losses):
        lose()
        root = img.home / f"root{number}"
        img("build", "-q", "-o", root, context)

        digest = hashlib.sha256((root / "random").read_bytes()).hexdigest()
        assert (root / "sum").read_text().split()[0] == digest, number


# --- a full disk ---


@pytest.fixture
def full_disk(img_for: ImgFor, workplace: Path) -> Iterator[Img]:
    need_root()
    disk = workplace / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=3000", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        lacking("may not mount a tmpfs")
    yield img_for("root").with_state(disk / "state")
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> None:
    with (disk / "filler").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    facts = os.statvfs(disk)
    assert facts.f_bavail == 0


def fill_with_files(disk: Path) -> None:
    for number in itertools.count():
        try:
            (disk / f"filler{time.monotonic_ns()}.{number}").touch()
        except OSError:
            break
    assert os.statvfs(disk).f_favail == 0


@pytest.mark.parametrize(
    ("store", "fill"),
    [("files", fill), ("files", fill_with_files), ("oci-layout", fill)],
)
def test_a_full_disk_can_be_cleaned_up(
    store: str,
    fill: Callable[[Path], None],
    full_disk: Img,
    busybox: str,
    write_context: WriteContext,
) -> None:
    img = full_disk.with_environment(IMG_STORE=store)
    img("build", "-q", "-t", "one", big_context(busybox, write_context, 1))
    img("build", "-q", "-t", "two", big_context(busybox, write_context, 2))
    fill(img.state.parent)

    refused = img("build", "-q", "-t", "three", write_context("FROM scratch\nCOPY big /\n"), code=8)
    assert "img prune" in refused.error_line
    assert "docker.io/library/one:latest" in img("ls").stdout
    assert "COPY big /" in img("du").stdout
    img("rm", "one")
    img("prune")
    if store == "files":  # a layout makes its room again with the next name
        fill(img.state.parent)
    img("rm", "two")
    img("prune", "--all")

    assert "docker.io/library" not in img("ls").stdout
    img("fsck")
    for filler in img.state.parent.glob("filler*"):
        filler.unlink()
    img("build", "-q", "-t", "three", write_context("FROM scratch\nCOPY big /\n"))


# --- damage ---


def test_a_build_makes_damaged_layers_anew(
    img_for: ImgFor, busybox: str, write_context: WriteContext
) -> None:
    img = img_for("root")
    context = write_context(
        f"FROM {busybox} AS one\nRUN dd if=/dev/urandom of=/made bs=1k count=100\n"
        "FROM scratch\nCOPY --from=one /made /\n"
    )
    img("build", "-q", "-t", "app", context)
    damage(blob(img.state, "RUN dd if=/dev/urandom of=/made bs=1k count=100", img))

    built = img("build", "-t", "app", "--build-arg", "x=1", context, "--target", "one")
    assert "CACHED" in built.stderr  # no step has read its bytes
    again = write_context(
        f"FROM {busybox} AS one\nRUN dd if=/dev/urandom of=/made bs=1k count=100\n"
        "FROM scratch\nCOPY --from=one /made /other\n"
    )
    built = img("build", "-t", "app", again)

    assert "is damaged" in built.stderr
    assert img("fsck").stdout.endswith("0 faults left\n")


@pytest.mark.parametrize("store", ["files", "oci-layout"])
def test_a_damaged_base_is_fetched_again(
    store: str, img_for: ImgFor, busybox: str, write_context: WriteContext
) -> None:
    img = img_for("root").with_environment(IMG_STORE=store)
    img("pull", busybox)
    layer = blob(img.state, f"pulled from {busybox}", img)

    damage(layer)
    broken = img("fsck", code=_STATE_ERROR).stdout
    assert f"{busybox}: blob sha256:{layer.name} is damaged\n" in broken
    assert "fetched again" in img("fsck", "--repair").stdout
    img("fsck")

    damage(layer)
    built = img("build", "-t", "app", write_context(f"FROM {busybox}\nRUN true\n"))
    assert "is damaged" in built.stderr
    img("fsck")

    damage(layer)
    for name in ("config", "image"):
        damage(blob(img.state, f"{name} {'of ' * (name == 'config')}{busybox}", img))
    assert img("fsck", "--repair").stdout.count("fetched again") == 3


def test_what_is_damaged_is_neither_pushed_nor_saved(
    img_for: ImgFor, registry: RegistryServer, write_context: WriteContext
) -> None:
    img = img_for("root")
    name = f"{registry.address}/damaged:latest"
    context = write_context("FROM scratch\nCOPY f /\n", {"f": os.urandom(100_000)})
    for command in (["push", name], ["save", "-o", img.home / "app.tar", name]):
        img("build", "-q", "-t", name, context)
        damage(blob(img.state, "COPY f /", img))

        refused = img(*command, code=_STATE_ERROR)

        assert "is damaged" in refused.error_line
        assert not (img.home / "app.tar").exists()
        img("build", "-q", "-t", name, context)  # which makes it anew
        img("fsck")


# --- many at once ---


def layer_downloads(registry: RegistryServer) -> list[str]:
    lines = registry.log.read_text().splitlines()
    return [line for line in lines if '"GET /v2/busybox/blobs/' in line]


def test_eight_builds_share_a_state_download_once_and_do_not_wait_for_one_another(
    img_for: ImgFor, registry: RegistryServer, busybox: str, write_context: WriteContext
) -> None:
    img = img_for("root")
    contexts = [write_context(_MEETING.format(busybox, n), name=f"c{n}") for n in range(8)]

    before = len(layer_downloads(registry))
    builds = [img.start("build", "-t", f"app{n}", c) for n, c in enumerate(contexts)]
    for build in builds:
        img.outcome(build, *build.communicate(timeout=_PATIENCE_S), 0)

    layer = blob(img.state, f"pulled from {busybox}", img).name
    fetched = [line for line in layer_downloads(registry)[before:] if layer in line]
    assert len(fetched) == 1, fetched
    for n in range(8):
        root = img.home / f"root{n}"
        img("unpack", "-o", root, f"app{n}")
        assert (root / "made").read_text() == f"{n}\n"
