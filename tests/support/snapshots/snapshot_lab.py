"""The snapshotters that tests try, and whether this machine allows them."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pytest

from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.snapshotter.fuse import FuseSnapshotter
from img.adapters.snapshotter.naive import NaiveSnapshotter
from img.adapters.snapshotter.overlay import OverlaySnapshotter
from img.adapters.storage.ownership import REAL, Ownership
from img.application.ports.layer_archive import LayerArchive
from img.application.ports.snapshotter import Snapshotter
from img.domain.digest import Digest
from img.domain.oci.chain import ChainID, DiffID
from img.domain.process import OverlayRoot
from img.testing.snapshots import run


def fake_chain_id(number: int) -> ChainID:
    return ChainID(DiffID(Digest.of(b"%d" % number)))


# --- snapshotters


@dataclass(frozen=True)
class Kind:
    """A way to keep files: the snapshotter, and how it is made."""

    name: str
    make: Callable[[Path, TarLayerArchive], Snapshotter]


@cache
def why_no_overlay(*, index: bool = False) -> str:
    """Return why overlays cannot be mounted in tests here; "" if they can."""
    if os.geteuid() != 0:
        return "needs root, or a user namespace with many ids"
    directory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
    base = f"{directory}/img-probe-{os.getpid()}"
    lower, upper, work, target = (f"{base}/{name}" for name in ("l", "u", "w", "t"))
    for name in (lower, upper, work, target):
        os.makedirs(name)
    try:
        root = OverlayRoot(lowers=(lower,), upper=upper, work=work, target=target, index=index)
        run(root, lambda path: os.mkdir(f"{path}/x"))
        if index and not os.path.isdir(f"{work}/index"):
            return "the kernel keeps no index for overlays in a user namespace"
    except AssertionError as error:
        return f"no overlay can be mounted here: {str(error).splitlines()[-1]}"
    finally:
        shutil.rmtree(base)
    return ""


needs_overlay = pytest.mark.skipif(bool(why_no_overlay()), reason=why_no_overlay() or "fine")
needs_index = pytest.mark.skipif(
    bool(why_no_overlay(index=True)), reason=why_no_overlay(index=True) or "fine"
)


def copy_bytes(source: int, target: int) -> None:
    """Stand for a reflink where the file system has none."""
    while os.sendfile(target, source, None, 1 << 20):
        pass


def cloning(root: Path, archive: LayerArchive, ownership: Ownership = REAL) -> NaiveSnapshotter:
    """Return the naive snapshotter as it is on a file system with reflinks."""
    return NaiveSnapshotter(root, archive, ownership, copy_bytes)


OVERLAY = Kind("overlay without index", partial(OverlaySnapshotter, index=False))
NAIVE = Kind("naive", NaiveSnapshotter)
CLONING = Kind("naive with reflinks", cloning)
INDEXED = Kind("overlay with index", OverlaySnapshotter)
FUSE = Kind("fuse", FuseSnapshotter)
KINDS = (
    OVERLAY,
    NAIVE,
    CLONING,
    *(() if why_no_overlay(index=True) else (INDEXED,)),
    *((FUSE,) if shutil.which("fuse-overlayfs") and os.access("/dev/fuse", os.W_OK) else ()),
)
