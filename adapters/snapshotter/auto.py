"""The best snapshotter that works here, found by trying."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from img.adapters.linux import syscalls
from img.adapters.snapshotter.attributes import OPAQUE
from img.adapters.snapshotter.work_directory import WorkDirectory
from img.application.log import logger
from img.application.ports.snapshotter import (
    SnapshotLayer,
    Snapshotter,
    SnapshotterUnavailable,
    Workspace,
)
from img.domain.oci.chain import ChainID

log = logger("snapshotter")


class AutoSnapshotter(Snapshotter):
    """Overlays if the kernel mounts one on the state directory, else copies.

    It is tried when the first root has to be made, not before: most builds need none.
    """

    def __init__(
        self, root: Path, overlay: Callable[[], Snapshotter], naive: Callable[[], Snapshotter]
    ) -> None:
        self._root = root
        self._overlay = overlay
        self._naive = naive
        self._lock = threading.Lock()
        self._chosen: Snapshotter | None = None
        self._description = "auto"

    @property
    def description(self) -> str:
        """What was chosen, and why it is not the better one; "auto" until then."""
        return self._description

    def prepare(self, layers: Sequence[SnapshotLayer]) -> Workspace:
        return self._choice().prepare(layers)

    def chain_ids(self) -> Sequence[ChainID]:
        found = [*self._overlay().chain_ids(), *self._naive().chain_ids()]
        return list(dict.fromkeys(found))

    def usage(self, chain_id: ChainID) -> int:
        return self._overlay().usage(chain_id) + self._naive().usage(chain_id)

    def remove(self, chain_id: ChainID) -> None:
        self._overlay().remove(chain_id)
        self._naive().remove(chain_id)

    def _choice(self) -> Snapshotter:
        with self._lock:
            if self._chosen is None:
                try:
                    try_overlay(self._root)
                    self._chosen = self._overlay()
                    self._description = "overlay"
                    log.debug("snapshotter chosen", snapshotter="overlay")
                except SnapshotterUnavailable as error:
                    self._chosen = self._naive()
                    self._description = f"naive ({error.message})"
                    log.debug("snapshotter chosen", snapshotter="naive", reason=error.message)
            return self._chosen


def try_overlay(root: Path) -> None:
    """Mount an overlay below ``root`` and unmount it. Raises SnapshotterUnavailable.

    The process has a mount namespace of its own by now, so nobody else sees the mount.
    """
    directory = os.path.abspath(root)
    os.makedirs(f"{directory}/work", exist_ok=True)
    work = WorkDirectory.create(f"{directory}/work")
    try:
        for name in ("lower", "upper", "work", "merged"):
            os.mkdir(f"{work.path}/{name}")
        os.setxattr(f"{work.path}/upper", OPAQUE, b"y")
        os.removexattr(f"{work.path}/upper", OPAQUE)
        options = ",".join(
            ["userxattr", *(f"{name}dir={work.path}/{name}" for name in ("lower", "upper", "work"))]
        )
        syscalls.mount("overlay", f"{work.path}/merged", "overlay", options=options)
        syscalls.umount2(f"{work.path}/merged")
    except OSError as error:
        raise SnapshotterUnavailable(
            f"the kernel mounts no overlay on {directory}: {error.strerror}",
            hint="use the naive snapshotter, or put the state on another file system",
        ) from error
    finally:
        work.remove()
