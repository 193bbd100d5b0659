"""Two ``img`` on one state are killed again and again: nothing is lost, nothing need be mended."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from img.adapters.blob_store.files import FileBlobStore
from img.adapters.blob_store.oci_layout import OciLayoutBlobStore
from img.adapters.image_store.oci_layout import OciLayoutImageStore
from img.adapters.image_store.sqlite import SqliteImageStore
from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.storage.sqlite import Database
from img.application.ports.blob_store import BlobStore
from img.application.ports.image_store import ImageStore
from img.application.transfer.catalog import Catalog
from img.domain.digest import Digest
from img.domain.retention import live_in
from img.entrypoints.settings import host_platform
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.servers.registry_server import RegistryServer

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_EVERY = "IMG_TESTS_ALL" in os.environ
_KILLS = int(os.environ.get("IMG_TESTS_KILLS") or (50 if _EVERY else 15))  # hits, in each test
_SEED = os.environ.get("IMG_TESTS_SEED") or str(random.SystemRandom().randrange(10**6))
_SOONEST_S, _LATEST_S = 0.1, 0.8  # Python has started, and most commands have not ended
_SOONER, _LATER = 0.92, 1.03  # factors for the latest moment after a miss, and after a hit
_PATIENCE_S = 60.0
_DOCKERFILE = """\
FROM {base}
COPY f /
RUN --mount=type=cache,target=/cache echo made >/made; cp /f /cache/f
"""

# Each store and each part once; all four with IMG_TESTS_ALL.
_RUNS = [("files", 1), ("oci-layout", 2)]
if _EVERY:
    _RUNS += [("files", 2), ("oci-layout", 1)]


class Crashing:
    """A state on which commands are killed."""

    def __init__(self, img: Img, registry: str, base: str, write_context: WriteContext) -> None:
        self.img = img
        self.registry = registry
        self.base = base
        self.kept: dict[str, str] = {}  # names that no command touches, with their digests
        self._write_context = write_context
        self.killed = 0
        self._latest = _LATEST_S
        self._contexts = 0

    def context(self, content: str) -> Path:
        """Return a context that differs from all before."""
        self._contexts += 1
        dockerfile = _DOCKERFILE.format(base=self.base)
        return self._write_context(dockerfile, {"f": content}, name=f"context{self._contexts}")

    def commands(self, chance: random.Random) -> list[str | Path]:
        """Return any command, and what it works on."""
        name = f"{self.registry}/crash{chance.randrange(3)}"
        kept = chance.choice(list(self.kept))
        choices: list[list[str | Path]] = [
            ["build", "-q", "-t", name, self.context(str(chance.random()))],
            ["build", "-q", "-t", name, self.context("always the same")],
            ["build", "-q", "--no-cache", "-t", name, self.context("always the same")],
            ["pull", "-q", self.base],
            ["push", "-q", name],
            ["push", "-q", kept],
            ["tag", kept, name],
            ["rm", name],
            ["rm", self.base],
            ["prune"],
            ["prune", "-a"],
            ["prune", "--max-used-space", "100k"],
        ]
        return chance.choice(choices)

    def kill_two(self, chance: random.Random) -> str:
        """Start two commands and kill each at some moment; return what was done."""
        begun: list[tuple[float, str, subprocess.Popen[bytes]]] = []
        for _ in range(2):
            arguments = self.commands(chance)
            moment = time.monotonic() + chance.uniform(_SOONEST_S, self._latest)
            begun.append((moment, " ".join(map(str, arguments)), self.img.start(*arguments)))
        for moment, _, process in sorted(begun, key=lambda each: each[0]):
            time.sleep(max(0.0, moment - time.monotonic()))
            process.send_signal(signal.SIGKILL)
        for _, command, process in begun:
            _, errors = process.communicate(timeout=_PATIENCE_S)
            assert b"Traceback" not in errors, f"{command}: {errors.decode()}"
            assert process.returncode in (0, 7, -signal.SIGKILL), f"{command}: {errors.decode()}"
            hit = process.returncode == -signal.SIGKILL
            self.killed += hit
            self._latest = max(2 * _SOONEST_S, self._latest * (_LATER if hit else _SOONER))
        return " | ".join(command for _, command, _ in begun)


def stores(state: Path, kind: str) -> tuple[BlobStore, ImageStore]:
    if kind == "oci-layout":
        return OciLayoutBlobStore(state / "layout"), OciLayoutImageStore(state / "layout")
    return FileBlobStore(state), SqliteImageStore(Database(state / "state.db"))


def check_images(blobs: BlobStore, images: ImageStore) -> dict[str, str]:
    """Verify all that every name leads to; return the digests by name."""
    catalog = Catalog(blobs=blobs)
    for image in images.list():
        found = catalog.image(image.target, host_platform())
        for layer in found.layers:
            assert blobs.size(layer.descriptor.digest) == layer.descriptor.size
            with blobs.open(layer.descriptor.digest) as blob:
                diff_id, _ = TarLayerArchive().index(blob)
            assert diff_id == layer.diff_id
    return {str(image.reference): str(image.target.digest) for image in images.list()}


def unreachable(blobs: BlobStore, images: ImageStore) -> set[Digest]:
    def read(digest: Digest) -> bytes:
        with blobs.open(digest) as content:
            return content.read()

    live = live_in(images=[image.target for image in images.list()], layers=[], read=read)
    return set(blobs.digests()) - live.blobs


@pytest.mark.parametrize(("store", "part"), _RUNS)
def test_whatever_is_killed_at_whatever_moment(
    store: str,
    part: int,
    img_for: ImgFor,
    registry: RegistryServer,
    busybox: str,
    write_context: WriteContext,
) -> None:
    chance = random.Random(f"{_SEED} {store} {part}")
    img = img_for("root").with_environment(IMG_STORE=store)
    crashing = Crashing(img, registry.address, busybox, write_context)
    for number in range(2):
        name = f"{registry.address}/kept{part}-{number}:latest"
        img("build", "-q", "-t", name, crashing.context(f"kept {number}"))
        crashing.kept[name] = ""
    blobs, images = stores(img.state, store)
    crashing.kept = {k: v for k, v in check_images(blobs, images).items() if k in crashing.kept}
    assert len(crashing.kept) == 2

    while crashing.killed < _KILLS:
        done = crashing.kill_two(chance)
        hint = f"IMG_TESTS_SEED={_SEED}: {done}"
        listed = img("ls").stdout
        assert "damaged" not in listed, hint
        found = check_images(blobs, images)
        assert {name: found.get(name) for name in crashing.kept} == crashing.kept, hint
        assert all(name in listed for name in found), hint

    assert img("fsck").stdout.endswith(" 0 faults left\n"), f"IMG_TESTS_SEED={_SEED}"
    img("prune", "-a")
    assert unreachable(blobs, images) == set(), f"IMG_TESTS_SEED={_SEED}"
    left = img("du", "--format", "json").stdout
    assert '"Reclaimable": true' not in left, f"IMG_TESTS_SEED={_SEED}: {left}"
    assert {k: v for k, v in check_images(blobs, images).items() if k in crashing.kept} == (
        crashing.kept
    )
