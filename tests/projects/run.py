"""Builds the projects by img and by BuildKit, compares the images, and starts them by podman.

``python -m tests.projects.run [--work DIRECTORY] [--users root,dev,one-id] [--no-peer] [NAME...]``

As root, with docker, podman, debootstrap and docker-registry of Debian. All that is made lies
below the directory: base images, which stay, and ``results``. ``--table`` prints what they say.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.builders import BuildFailed, BuildKitBuilder
from tests.projects import report
from tests.projects.bases import Bases
from tests.projects.builders import BuildKitProjectBuilder, ImgProjectBuilder, ProjectBuilder
from tests.projects.compare import compare
from tests.projects.saved import Layers, Saved, read
from tests.projects.started import Podman
from tests.projects.table import PROJECTS, Project
from tests.support.host import accounts, shared_things
from tests.support.host.machine import Account, this_account
from tests.support.servers import registry_server
from tests.support.servers.registry_server import RegistryServer

_USERS = ("root", "dev", "one-id")
_PEER = BuildKitProjectBuilder.name
_NAMELESS = 64997  # a user without subordinate ids
_PROGRAMS = ("docker", "dockerd", "podman", "runc", "debootstrap", "curl", "nsenter", "newuidmap")


def main(arguments: Sequence[str]) -> int:
    """Return the number of wrong images."""
    parser = argparse.ArgumentParser(prog="python -m tests.projects.run")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp/img-projects"))
    parser.add_argument("--users", default=",".join(_USERS))
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--table", action="store_true", help="print what was found before")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args(arguments)
    results = options.work / "results"
    if not options.table:
        _check_machine()
        projects = _named(options.names)
        options.work.mkdir(parents=True, exist_ok=True)
        results.mkdir(exist_ok=True)
        with _Place(options.work) as place:
            builders = [] if options.no_peer else [place.peer()]  # first: others are compared
            builders += place.imgs(options.users.split(","))
            return sum(_try(project, builders, place, results) for project in projects)
    sys.stdout.write("".join(f"{line}\n" for line in report.table(results, (*_USERS, _PEER))))
    return 0


def _check_machine() -> None:
    missing = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    if registry_server.PROGRAM is None:
        missing.append("docker-registry")
    if os.geteuid() != 0 or missing:
        sys.exit(f"needs root and these programs: {', '.join(missing or _PROGRAMS)}")


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _named(names: Sequence[str]) -> list[Project]:
    known = {project.name: project for project in PROJECTS}
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"no project {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in names or known]


class _Place:
    """The common parts of all projects; only the base images remain at the end."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self._stack = ExitStack()

    def __enter__(self) -> "_Place":
        shared_things.name_directory()
        self._stack.callback(shared_things.remove_all)
        runs = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="prj-")))
        self.run = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=self.work)))
        self.run.chmod(0o755)
        registry = self._stack.enter_context(RegistryServer(on_disk=self.run))
        self.bases = Bases(self.work, registry.address, self.run / "mirrors.conf")
        self.archive = self.run / "image.tar"
        self.podman = Podman(runs)
        self._stack.callback(self.podman.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def imgs(self, users: Sequence[str]) -> Iterator[ProjectBuilder]:
        """Yield img for the kinds of user that are named."""
        for name in users:
            yield ImgProjectBuilder(name, self._account(name), self.run, self.bases)

    def peer(self) -> ProjectBuilder:
        """Start Docker's daemon."""
        daemon = self._stack.enter_context(BuildKitBuilder(self.run))
        return BuildKitProjectBuilder(daemon, self.bases)

    def _account(self, name: str) -> Account:
        match name:
            case "root":
                return this_account()
            case "dev":
                return accounts.user()
            case "one-id":
                return Account(name=name, uid=_NAMELESS, gid=_NAMELESS, home=self.run)
        sys.exit(f"no kind of user {name!r}; there are: {', '.join(_USERS)}")


def _try(project: Project, builders: Sequence[ProjectBuilder], place: _Place, results: Path) -> int:
    file = results / f"{project.name}.json"
    result = report.Result.load(file) if file.exists() else report.Result()
    context = place.run / "context"  # a copy: these sources may change meanwhile
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(project.context, context, symlinks=True)
    images: dict[str, Saved] = {}
    layers: Layers = {}
    for builder in builders:
        result.failed.pop(builder.name, None)
        result.found.pop(builder.name, None)
        try:
            place.bases.provide(project.bases)
            seconds = builder.build(project, context, place.archive)
            images[builder.name] = image = read(place.archive, layers)
            found = report.Found(seconds=seconds, entries=len(image.files))
            if _PEER in images:
                found = report.compared(found, compare(image, images[_PEER]), project.varies)
            result.found[builder.name] = found
            if builder.name != _PEER:
                place.podman("load", "--quiet", "--input", place.archive)
                project.check(place.podman, project.name)
                result.found[builder.name] = replace(found, ran=True)
        except (AssertionError, BuildFailed) as error:
            result.failed[builder.name] = str(error)
            if not images:  # others would not do better
                break
        finally:
            place.archive.unlink(missing_ok=True)
            result.save(file)
    place.podman("rmi", "--all", "--force")
    sys.stdout.write("".join(f"{line}\n" for line in report.shown(project, result)))
    sys.stdout.flush()
    return len(result.failed) + sum(len(each.differences) for each in result.found.values())


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
