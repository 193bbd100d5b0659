#!/usr/bin/env python3
"""The speed of transfers: img, compared with skopeo with umoci, buildah and docker.

    tests/benchmarks/transfer.py [--with img,skopeo,buildah,docker,bare] [--repeat N] [--small]
                                 [--directory DIR]

Run it as root by a Python in which img's dependencies are installed. Measured are the pull of a
generated image (82,000 files in two layers, 410 MB, 179 MB packed) until its files are there, and
its push to a registry that has nothing of it. buildah and docker unpack while they pull; img and
skopeo by another command, with its time added. All states are in memory (/dev/shm). Printed are
medians of wall-clock time, and how many times as long as img the others take; what is not
installed has no column. Nothing is left behind.

"bare" is no program: the same blobs, one request each, by a process that runs already, and then
GNU tar. No client that has to start, to ask what is there, or to verify anything can push faster.
"""

import argparse
import multiprocessing
import os
import pwd
import shutil
import statistics
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.benchmarks import inputs  # noqa: E402
from tests.benchmarks.bare_requests import BareRequests  # noqa: E402
from tests.benchmarks.builders import (  # noqa: E402
    BuildahBuilder,
    BuildFailed,
    BuildKitBuilder,
    ImgBuilder,
    lacking,
    timed,
)
from tests.benchmarks.inputs import SMALL, Sizes  # noqa: E402
from tests.support.servers.registry_server import RegistryServer  # noqa: E402

_CARRIERS = ("img", "skopeo", "buildah", "docker", "bare")


class Carrier(ABC):
    """A program that moves images; a ``with`` is around all of it."""

    name: str

    def obstacle(self) -> str | None:
        """Return why it cannot be measured here."""
        return None

    @abstractmethod
    def pull(self, image: str) -> float:
        """Fetch the image and unpack it; return the seconds. Raises BuildFailed."""

    @abstractmethod
    def push(self, image: str, to: str) -> float:
        """Push what was pulled as ``image`` under another name; return the seconds."""

    @abstractmethod
    def forget(self) -> None:
        """Be as new: no images."""

    def __enter__(self) -> "Carrier":
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()


class ImgCarrier(Carrier):
    """Ours, by the Python that runs this."""

    name = "img"

    def __init__(self, work: Path) -> None:
        self._img = ImgBuilder(work, pwd.getpwuid(os.geteuid()))
        self._files = work / "img-files"

    def pull(self, image: str) -> float:
        seconds = self._run("pull", image)
        return seconds + self._run("unpack", "-o", str(self._files), image)

    def push(self, image: str, to: str) -> float:
        self._run("tag", image, to)
        return self._run("push", to)

    def forget(self) -> None:
        shutil.rmtree(self._files, ignore_errors=True)
        self._img.forget()

    def _run(self, command: str, *arguments: str) -> float:
        state = f"{self._img.prepare()}/state"
        return self._img.python("-m", "img", command, "-s", state, *arguments).seconds


class SkopeoCarrier(Carrier):
    """skopeo into an OCI layout, and umoci out of that."""

    name = "skopeo+umoci"

    def __init__(self, work: Path) -> None:
        self._work = work / "skopeo"

    def obstacle(self) -> str | None:
        return lacking("skopeo", "umoci")

    def pull(self, image: str) -> float:
        self._work.mkdir()
        copy = ["skopeo", "copy", "--src-tls-verify=false", f"docker://{image}", self._place]
        unpack = ["umoci", "unpack", "--image", f"{self._work}/layout:x", f"{self._work}/files"]
        return sum(timed(command, {"HOME": str(self._work)}).seconds for command in (copy, unpack))

    def push(self, image: str, to: str) -> float:
        copy = ["skopeo", "copy", "--dest-tls-verify=false", self._place, f"docker://{to}"]
        return timed(copy, {"HOME": str(self._work)}).seconds

    def forget(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)

    @property
    def _place(self) -> str:
        return f"oci:{self._work}/layout:x"


class BuildahCarrier(Carrier):
    """buildah, which unpacks into its storage."""

    name = "buildah"

    def __init__(self, work: Path) -> None:
        self._buildah = BuildahBuilder(work)
        self._home = {"HOME": str(work)}

    def obstacle(self) -> str | None:
        return self._buildah.obstacle()

    def pull(self, image: str) -> float:
        command = [*self._buildah.command(), "pull", "--quiet", "--tls-verify=false", image]
        return timed(command, self._home).seconds

    def push(self, image: str, to: str) -> float:
        where = ["--quiet", "--tls-verify=false", image, f"docker://{to}"]
        return timed([*self._buildah.command(), "push", *where], self._home).seconds

    def forget(self) -> None:
        self._buildah.forget()


class DockerCarrier(Carrier):
    """The docker daemon, which is started for this."""

    name = "docker"

    def __init__(self, work: Path) -> None:
        self._docker = BuildKitBuilder(work)
        self._home = {"HOME": str(work)}

    def obstacle(self) -> str | None:
        return self._docker.obstacle()

    def pull(self, image: str) -> float:
        return self._run("pull", "--quiet", image)

    def push(self, image: str, to: str) -> float:
        self._run("tag", image, to)
        return self._run("push", "--quiet", to)

    def forget(self) -> None:
        self._docker.forget()

    def __enter__(self) -> "DockerCarrier":
        self._docker.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._docker.__exit__()

    def _run(self, *command: str) -> float:
        return timed([*self._docker.client(), *command], self._home).seconds


class BareCarrier(Carrier):
    """No builder: the time of the registry and of tar for any client."""

    name = "bare"

    def __init__(self, work: Path) -> None:
        self._bare = BareRequests(work / "bare")

    def obstacle(self) -> str | None:
        return lacking("tar")

    def pull(self, image: str) -> float:
        return self._bare.pull(*_parts(image))

    def push(self, image: str, to: str) -> float:
        return self._bare.push(*_parts(to))

    def forget(self) -> None:
        self._bare.forget()


def _parts(image: str) -> tuple[str, str, str]:
    """Return registry, repository and tag."""
    registry, _, rest = image.partition("/")
    repository, _, tag = rest.partition(":")
    return registry, repository, tag


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 0 unless img failed."""
    options = _options().parse_args(arguments)
    work = Path(tempfile.mkdtemp(prefix="img-transfer-", dir=options.directory))
    try:
        with RegistryServer() as registry:
            image = _published(registry.address, SMALL if options.small else Sizes())
            _say(f"processors: {os.cpu_count()}, load: {os.getloadavg()[0]:.1f}")
            chosen = [_carrier(name, work) for name in options.carriers.split(",")]
            seconds = {carrier.name: _measured(carrier, image, options) for carrier in chosen}
            _print_table({name: both for name, both in seconds.items() if both})
            return 0 if seconds.get("img", True) else 1
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--with", dest="carriers", default=",".join(_CARRIERS), help="of whom")
    options.add_argument("--repeat", type=int, default=3, help="times that each is done")
    options.add_argument("--small", action="store_true", help="a tiny image, to try this out")
    options.add_argument("--directory", default="/dev/shm", help="where all of it happens")
    return options


def _published(registry: str, sizes: Sizes) -> str:
    # In a process of its own: the image is held in memory there.
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(inputs.push_big_base, (registry, sizes))


def _carrier(name: str, work: Path) -> Carrier:
    match name:
        case "img":
            return ImgCarrier(work)
        case "skopeo":
            return SkopeoCarrier(work)
        case "buildah":
            return BuildahCarrier(work)
        case "docker":
            return DockerCarrier(work)
        case "bare":
            return BareCarrier(work)
    raise SystemExit(f"who is {name}? --with {','.join(_CARRIERS)}")


def _measured(
    carrier: Carrier, image: str, options: argparse.Namespace
) -> tuple[float, float] | None:
    """Return the medians of pull and push, None where it cannot be measured."""
    obstacle = carrier.obstacle()
    if obstacle is not None:
        _say(f"{carrier.name}: {obstacle}")
        return None
    pulls, pushes = [], []
    try:
        with carrier:
            carrier.pull(image)  # to warm up: Python keeps bytecode, the daemon starts things
            for _ in range(options.repeat):
                carrier.forget()
                pulls.append(carrier.pull(image))
                with RegistryServer() as empty:
                    pushes.append(carrier.push(image, f"{empty.address}/copy:latest"))
    except BuildFailed as failure:
        _say(f"{carrier.name}: {failure}")
        return None
    _say(f"{carrier.name}: pull {_listed(pulls)}, push {_listed(pushes)}")
    return statistics.median(pulls), statistics.median(pushes)


def _listed(seconds: Sequence[float]) -> str:
    return " ".join(f"{each:.2f}" for each in seconds)


def _print_table(seconds: dict[str, tuple[float, float]]) -> None:
    first = next(iter(seconds.values()), None)
    _print_row("seconds (times the first)", list(seconds))
    for number, work in enumerate(("pull and unpack", "push to an empty registry")):
        cells = [
            f"{both[number]:.2f} ({both[number] / first[number]:.1f}x)"
            for both in seconds.values()
            if first is not None
        ]
        _print_row(work, cells)


def _print_row(title: str, cells: Sequence[str]) -> None:
    sys.stdout.write(f"{title:<30}{''.join(f'{cell:>18}' for cell in cells)}".rstrip() + "\n")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
