"""Selection of the best snapshotter that works on this machine."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from img.adapters.linux.host_probe_cache import HostProbeCache
from img.adapters.linux.overlay_trial import MOST_LAYERS, OverlayRefused, try_overlay
from img.adapters.storage.atomic_file import raise_state_error
from img.adapters.storage.own_files import make_directories
from img.adapters.storage.work_directory import WorkDirectory
from img.application.log import logger
from img.application.ports.snapshotter import (
    SnapshotFacts,
    SnapshotLayer,
    Snapshotter,
    Workspace,
)
from img.domain.filesystem.tree import FileTree
from img.domain.oci.chain import ChainID

log = logger("snapshotter")


class AutoSnapshotter(Snapshotter):
    """Overlays if the kernel mounts one in the state directory ``root``, otherwise copies.

    Also copies for a stack of more layers than an overlay takes.

    The kernel is probed on first use; the result is cached in the state (host_probe_cache.py).
    """

    def __init__(
        self, root: Path, overlay: Callable[[], Snapshotter], naive: Callable[[], Snapshotter]
    ) -> None:
        self._root = os.path.abspath(root)
        self._overlay = overlay
        self._naive = naive
        self._lock = threading.Lock()
        self._chosen: Snapshotter | None = None
        self._obstacle = ""

    @property
    def chosen(self) -> str:
        """Return the name of the snapshotter in use."""
        self._choice()
        return "naive" if self._obstacle else "overlay"

    @property
    def obstacle(self) -> str:
        """Return why overlays are not in use, "" if they are."""
        self._choice()
        return self._obstacle

    def prepare(self, layers: Sequence[SnapshotLayer], base: FileTree) -> Workspace:
        choice = self._choice()
        return (self._naive() if len(layers) > MOST_LAYERS else choice).prepare(layers, base)

    def chain_ids(self) -> Sequence[ChainID]:
        found = [*self._overlay().chain_ids(), *self._naive().chain_ids()]
        return list(dict.fromkeys(found))

    def usage(self, chain_id: ChainID) -> int:
        return self._overlay().usage(chain_id) + self._naive().usage(chain_id)

    def facts(self, chain_id: ChainID) -> SnapshotFacts:
        found = [
            snapshotter.facts(chain_id)
            for snapshotter in (self._overlay(), self._naive())
            if chain_id in snapshotter.chain_ids()
        ]
        return SnapshotFacts(
            size=sum(facts.size for facts in found),
            used=max((facts.used for facts in found if facts.used is not None), default=None),
            in_use=any(facts.in_use for facts in found),
        )

    def remove(self, chain_id: ChainID) -> None:
        self._overlay().remove(chain_id)
        self._naive().remove(chain_id)

    def _choice(self) -> Snapshotter:
        with self._lock:
            if self._chosen is None:
                self._obstacle = self._try()
                self._chosen = self._naive() if self._obstacle else self._overlay()
                chosen = "naive" if self._obstacle else "overlay"
                log.debug("snapshotter chosen", snapshotter=chosen, obstacle=self._obstacle)
            return self._chosen

    def _try(self) -> str:
        """Return why overlays do not work, "" if they do."""
        probes = HostProbeCache(f"{self._root}/refused.json")
        try:
            make_directories(f"{self._root}/work")
            if known := probes.reason("overlay"):
                return f"{known}, when last tried: `img doctor` tries again"
            if probes.is_allowed("overlay"):
                return ""
            work = WorkDirectory.create(f"{self._root}/work")
        except OSError as error:
            raise_state_error(error, self._root)
        try:
            try_overlay(work.path, self._root)
        except OverlayRefused as refused:
            if refused.lasting:
                probes.record_refusal("overlay", refused.message)
            return refused.message
        finally:
            work.remove()
        probes.record_success("overlay")
        return ""
