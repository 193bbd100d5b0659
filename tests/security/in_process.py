"""img in this process: quick enough for thousands of inputs; and targets beside markers."""

import os
import shutil
from pathlib import Path
from typing import TypeVar

from img.adapters.linux.id_map import IdMap
from img.domain.build import BuildRequest
from img.domain.outputs import CacheOnly, Output
from img.entrypoints.rootless import BuildHost
from img.entrypoints.settings import Settings, host_platform
from img.entrypoints.wiring.root import open_container
from tests.security.fuzzing import Target
from tests.security.markers import Markers, files_with_the_token, make_readable

_Input = TypeVar("_Input")
_NOTHING = CacheOnly()


class Beside(Target[_Input]):
    """A target that works in ``place/work``, beside markers that it must leave alone."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.work = place / "work"
        self.work.mkdir()
        self.markers = Markers(place, ("work", "state", "context"))

    def broken(self) -> str:
        changes = self.markers.changes()
        make_readable(self.work)
        read = [str(path) for path in files_with_the_token(self.work)]
        for left in os.scandir(self.work):
            _remove(left)
        if changes:
            return f"outside was changed: {changes}"
        return f"outside was read: {read}" if read else ""

    def close(self) -> None:
        """Close what the target has opened."""


class InProcess:
    """The commands of img without RUN, with a state and a context of their own."""

    def __init__(self, place: Path, host: BuildHost | None = None, executor: str = "unshare"):
        self.state = place / "state"
        self.context = place / "context"
        for directory in (self.state, self.context):
            directory.mkdir(mode=0o700)
        ids = IdMap.SAME if os.geteuid() == 0 else IdMap.SINGLE
        self._host = host or BuildHost(id_map=ids)
        settings = Settings(
            state=self.state,
            platform=host_platform(),
            snapshotter=self._host.snapshotter("auto" if host else "naive"),
            executor=executor,
            progress="quiet",
        )
        self.container = open_container(settings, self._host)

    def build(self, dockerfile: str, output: Output = _NOTHING, location: str = "") -> None:
        """Build a Dockerfile. Raises ImgError."""
        (self.context / "Dockerfile").write_text(dockerfile, errors="surrogateescape")
        self.container.building.build_image()(
            BuildRequest(platform=host_platform(), build_platform=host_platform()),
            location=location or str(self.context),
            outputs=(output,),
        )

    def close(self) -> None:
        """End helpers, close the database."""
        self.container.close()


def _remove(entry: "os.DirEntry[str]") -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path)
    else:
        os.unlink(entry.path)
