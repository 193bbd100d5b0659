#!/usr/bin/env python3
"""The memory of img for one large layer.

    tests/benchmarks/memory.py [--bytes 3000000000] [--random 12] [--limit 150] [--user NAME]
                               [--directory DIR]

Run it by a Python in which img's dependencies are installed. A file of which a part is random
and the rest a hole is copied into a layer, made by a RUN, pushed, pulled, saved and loaded; printed
is the largest resident set of any process of each command (what `/usr/bin/time -v` prints), and the
exit status is 1 if one is above the limit (in MB, of 10^6 bytes). Nothing is left behind.
"""

import argparse
import multiprocessing
import os
import pwd
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.benchmarks import inputs  # noqa: E402
from tests.benchmarks.builders import Cost, ImgBuilder  # noqa: E402
from tests.support.servers.registry_server import RegistryServer  # noqa: E402

_BLOCK = 1 << 20
_TAG = "benchmark"


@dataclass(frozen=True, slots=True)
class Large:
    """The file: ``size`` bytes, of which one in ``every`` is random."""

    size: int
    every: int

    @property
    def blocks(self) -> int:
        """Return how many mebibytes of random bytes it begins with."""
        return self.size // self.every // _BLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """img's commands, each in a process of its own."""

    img: ImgBuilder
    work: Path
    registry: str

    def costs(self, large: Large) -> Iterator[tuple[str, Cost]]:
        """Yield the cost of each command after it ends."""
        remote = f"{self.registry}/large:latest"
        context = self.work / "context"
        _apart(_write_copy, context, large)
        yield "build: COPY", self.img.build(context)
        self._img("tag", _TAG, remote)
        yield "push", self._img("push", remote)
        for form in ("oci", "docker"):
            archive = f"{self.img.prepare()}/archive"
            yield f"save, {form}", self._img("save", "--format", form, "-o", archive, _TAG)
            self.img.forget()
            yield f"load, {form}", self._img("load", "-i", archive)
            os.unlink(archive)
        self.img.forget()
        yield "pull", self._img("pull", remote)
        self.img.forget()
        _apart(_write_use, context, self.registry, remote)
        yield "build: FROM it, RUN", self.img.build(context)
        self.img.forget()
        _apart(_write_run, context, self.registry, large)
        yield "build: RUN makes it", self.img.build(context)

    def _img(self, command: str, *arguments: str) -> Cost:
        state = f"{self.img.prepare()}/state"
        return self.img.python("-m", "img", command, "-s", state, *arguments)


def _apart(write: Callable[..., None], context: Path, *arguments: object) -> None:
    """Write another context, in a process of its own: ours shall stay small.

    A process's largest resident set begins with what its parent has (getrusage(2), ru_maxrss).
    """
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir()
    writing = multiprocessing.get_context("fork").Process(target=write, args=(context, *arguments))
    writing.start()
    writing.join()
    if writing.exitcode:
        raise RuntimeError("the inputs could not be written")


def _write_copy(context: Path, large: Large) -> None:
    with (context / "large").open("wb") as file:
        for _ in range(large.blocks):
            file.write(random.randbytes(_BLOCK))
        file.truncate(large.size)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY large /\n")


def _write_use(context: Path, registry: str, remote: str) -> None:
    shell = inputs.push_small_base(registry)
    (context / "Dockerfile").write_text(
        f"FROM {remote}\nCOPY --from={shell} / /\nRUN test -s /large\n"
    )


def _write_run(context: Path, registry: str, large: Large) -> None:
    base = inputs.push_small_base(registry, "/bin/dd")
    (context / "Dockerfile").write_text(
        f"FROM {base}\n"
        f"RUN dd if=/dev/urandom of=/large bs={_BLOCK} count={large.blocks}"
        f" && dd if=/dev/zero of=/large bs=1 count=1 seek={large.size - 1} conv=notrunc\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 0 if nothing took more than the limit."""
    options = _options().parse_args(arguments)
    work = Path(tempfile.mkdtemp(prefix="img-memory-", dir=options.directory))
    work.chmod(0o755)
    user = pwd.getpwnam(options.user) if options.user else pwd.getpwuid(os.geteuid())
    above = 0
    try:
        img = ImgBuilder(work, user)
        with RegistryServer() as registry, img:
            commands = Commands(img=img, work=work, registry=registry.address)
            _row("command", "seconds", "MB at most")
            for name, cost in commands.costs(Large(options.bytes, options.random)):
                peak = (cost.peak_bytes or 0) / 1e6
                above += peak > options.limit
                _row(name, f"{cost.seconds:.1f}", f"{peak:.0f}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return min(above, 1)


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--bytes", type=int, default=3_000_000_000, help="of the file")
    options.add_argument("--random", type=int, default=12, help="one in so many bytes is")
    options.add_argument("--limit", type=int, default=150, help="MB that a process may take")
    options.add_argument("--user", default="", help="who runs img; else whoever runs this")
    options.add_argument("--directory", default="/dev/shm", help="where all of it happens")
    return options


def _row(name: str, *cells: str) -> None:
    sys.stdout.write(f"{name:<24}{''.join(f'{cell:>14}' for cell in cells)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
