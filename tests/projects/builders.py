"""The builders that are compared: img for three kinds of user, and BuildKit in Docker's daemon."""

import shutil
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.benchmarks.builders import BuildKitBuilder, timed
from tests.projects.bases import Bases
from tests.projects.table import Project
from tests.support.host.img_command import Img
from tests.support.host.machine import Account

_LIMIT_S = 3600.0


class ProjectBuilder(ABC):
    """A builder that has nothing when it begins with a project."""

    name: str

    @abstractmethod
    def build(self, project: Project, context: Path, archive: Path) -> float:
        """Build, save the image to ``archive``, and return the seconds without the saving.

        Raises AssertionError or BuildFailed with the last words of the builder.
        """


class ImgProjectBuilder(ProjectBuilder):
    """img, which finds the base images by a mirror; so their download counts."""

    def __init__(self, name: str, account: Account, work: Path, bases: Bases) -> None:
        self.name = name
        self._place = work / f"img-{name.replace(' ', '-')}"
        home = self._place / "home"
        shutil.rmtree(self._place, ignore_errors=True)
        home.mkdir(parents=True)
        for directory in (self._place, home):
            shutil.chown(directory, account.uid, account.gid)
        self._img = Img(
            command=(Path(sys.executable).with_name("img"),),
            account=account,
            state=self._place / "state",
            home=home,
            environment={"IMG_REGISTRIES_CONF": str(bases.mirrors)},
        )

    def build(self, project: Project, context: Path, archive: Path) -> float:
        try:
            seconds = _seconds(
                lambda: self._img(
                    "build", "-t", project.name, *project.options, context, timeout_s=_LIMIT_S
                )
            )
            self._img("save", "-o", self._place / archive.name, project.name, timeout_s=_LIMIT_S)
            (self._place / archive.name).rename(archive)
        finally:
            shutil.rmtree(self._place / "state", ignore_errors=True)
        return seconds


class BuildKitProjectBuilder(ProjectBuilder):
    """BuildKit as Docker's daemon has it: it is given the base images, which counts too."""

    name = "BuildKit"

    def __init__(self, daemon: BuildKitBuilder, bases: Bases) -> None:
        self._daemon = daemon
        self._bases = bases

    def build(self, project: Project, context: Path, archive: Path) -> float:
        file = context / "Dockerfile.older"  # for one that does not know what the project uses
        options = ["--file", str(file)] if file.exists() else []
        command = ["build", "--network=host", "-t", project.name, *options, *project.options]
        try:
            seconds = _seconds(lambda: self._pull(project.bases))
            seconds += _seconds(lambda: self._docker(*command, str(context)))
            self._docker("save", "-o", str(archive), project.name)
        finally:
            self._daemon.forget()
        return seconds

    def _pull(self, names: Iterable[str]) -> None:
        for name in names:
            self._docker("pull", "-q", self._bases.place(name))
            self._docker("tag", self._bases.place(name), name)

    def _docker(self, *arguments: str) -> None:
        timed([*self._daemon.client(), *arguments], {"DOCKER_BUILDKIT": "1", "HOME": "/"})


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
