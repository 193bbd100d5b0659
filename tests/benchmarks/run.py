#!/usr/bin/env python3
"""The speed of img, compared with Debian's buildah and with BuildKit in the docker daemon.

    tests/benchmarks/run.py [--only no-op,run,copy,bake,pull] [--with img,user,buildah,buildkit]
                            [--user NAME] [--repeat N] [--small] [--directory DIR]

Run it by a Python in which img's dependencies are installed, as root for all columns. img comes
from this repository. Measured are a build that has nothing to do (30 steps), 20 RUNs that do
nothing, COPY of a generated tree (75,000 files, 434 MB: all of it new, nothing changed, one file
changed), 12 targets that share a stage (by img bake; by one build after the other), and the pull of
a generated base (82,000 files in two layers, 216 MB) with a first RUN. All states are in memory
(/dev/shm). Printed are medians of wall-clock time, and how many times as long the others take;
below them img's processor time and its largest process. What is not installed has no column.
Nothing is left behind.
"""

import argparse
import multiprocessing
import os
import pwd
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.benchmarks import inputs  # noqa: E402
from tests.benchmarks.builders import (  # noqa: E402
    BuildahBuilder,
    Builder,
    BuildFailed,
    BuildKitBuilder,
    Cost,
    ImgBuilder,
    user_with_ids,
)
from tests.benchmarks.inputs import SMALL, Sizes  # noqa: E402
from tests.support.servers.registry_server import RegistryServer  # noqa: E402

_SUBJECTS = ("no-op", "run", "copy", "bake", "pull")
_BUILDERS = ("img", "user", "buildah", "buildkit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The result of one builder in one line of the table."""

    work: str
    builder: str
    costs: Sequence[Cost]

    def median(self, what: Callable[[Cost], float | None]) -> float | None:
        """Return the median of ``what``, None where it is not known."""
        known = [value for cost in self.costs if (value := what(cost)) is not None]
        return statistics.median(known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The places, sizes and repetitions of a measurement."""

    work: Path
    registry: str
    sizes: Sizes
    repeat: int

    @property
    def targets(self) -> Sequence[str]:
        """The names of the targets of a bake."""
        return [f"t{number}" for number in range(self.sizes.targets)]

    def measure(self, subject: str, builder: Builder) -> Iterator[Measured]:
        """Yield the lines about ``subject``. Raises BuildFailed."""
        match subject:
            case "no-op":
                yield from self._no_op(builder)
            case "run":
                yield from self._runs(builder)
            case "copy":
                yield from self._copy(builder)
            case "bake":
                yield from self._bake(builder)
            case "pull":
                yield from self._pull(builder)

    def _no_op(self, builder: Builder) -> Iterator[Measured]:
        context = self.work / "steps"
        self._written(context, _write_steps)
        builder.build(context)
        costs = [builder.build(context) for _ in range(3 * self.repeat)]
        yield Measured(
            work=f"nothing to do, {self.sizes.steps} steps", builder=builder.name, costs=costs
        )

    def _runs(self, builder: Builder) -> Iterator[Measured]:
        context = self.work / "runs"
        self._written(context, _write_runs)
        builder.build(context)
        costs = [builder.build(context, cache=False) for _ in range(self.repeat)]
        yield Measured(work=f"{self.sizes.runs} x RUN true", builder=builder.name, costs=costs)

    def _copy(self, builder: Builder) -> Iterator[Measured]:
        context = self.work / "copy"
        self._written(context, _write_tree)
        cold, unchanged, changed = [], [], []
        for _ in range(self.repeat):
            builder.forget()
            cold.append(builder.build(context))
            unchanged += [builder.build(context) for _ in range(2)]
            inputs.change_one_file(context)
            changed.append(builder.build(context))
        what = f"COPY of {self.sizes.files:,} files"
        yield Measured(work=what, builder=builder.name, costs=cold)
        yield Measured(work="  nothing changed", builder=builder.name, costs=unchanged)
        yield Measured(work="  one file changed", builder=builder.name, costs=changed)

    def _bake(self, builder: Builder) -> Iterator[Measured]:
        context = self.work / "bake"
        self._written(context, _write_targets)
        ways: dict[str, Callable[[Path, Sequence[str]], Cost]] = {
            f"{len(self.targets)} targets": builder.bake,
            "  one build after the other": partial(Builder.bake, builder),
        }
        for work, bake in ways.items():
            cold, unchanged = [], []
            for _ in range(self.repeat):
                builder.forget()
                cold.append(bake(context, self.targets))
                unchanged.append(bake(context, self.targets))
            yield Measured(work=work, builder=builder.name, costs=cold)
            yield Measured(work=f"{work}, again", builder=builder.name, costs=unchanged)

    def _pull(self, builder: Builder) -> Iterator[Measured]:
        context = self.work / "pull"
        self._written(context, _write_big_base)
        costs = []
        for _ in range(self.repeat):
            builder.forget()
            costs.append(builder.build(context))
        what = f"pull of {self.sizes.base_files:,} files, and RUN"
        yield Measured(work=what, builder=builder.name, costs=costs)

    def _written(self, context: Path, write: Callable[["Bench", Path], None]) -> None:
        """Write the inputs, once."""
        if context.exists():
            return
        # In a process of its own: what a builder's process takes at most begins with what its
        # parent has (getrusage(2), ru_maxrss).
        writing = multiprocessing.get_context("fork").Process(target=write, args=(self, context))
        writing.start()
        writing.join()
        if writing.exitcode:
            raise RuntimeError("the inputs could not be written")


def _write_steps(bench: Bench, context: Path) -> None:
    inputs.write_steps(context, inputs.push_small_base(bench.registry), bench.sizes.steps)


def _write_runs(bench: Bench, context: Path) -> None:
    inputs.write_runs(context, inputs.push_small_base(bench.registry), bench.sizes.runs)


def _write_targets(bench: Bench, context: Path) -> None:
    base = inputs.push_small_base(bench.registry)
    inputs.write_targets(context, base, bench.targets, bench.sizes.work)


def _write_tree(bench: Bench, context: Path) -> None:
    inputs.write_tree_copy(context, bench.sizes)


def _write_big_base(bench: Bench, context: Path) -> None:
    inputs.write_first_run(context, inputs.push_big_base(bench.registry, bench.sizes))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 0 unless img failed at something."""
    options = _options().parse_args(arguments)
    work = Path(tempfile.mkdtemp(prefix="img-benchmark-", dir=options.directory))
    work.chmod(0o755)
    try:
        with RegistryServer() as registry:
            bench = Bench(
                work=work,
                registry=registry.address,
                sizes=SMALL if options.small else Sizes(),
                repeat=options.repeat,
            )
            return _compare(
                bench, options.only.split(","), _chosen(work, options.builders, options.user)
            )
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--only", default=",".join(_SUBJECTS), help="what is measured")
    options.add_argument("--with", dest="builders", default=",".join(_BUILDERS), help="of whom")
    options.add_argument("--user", default="", help="who the ordinary user is; has ids by subuid")
    options.add_argument("--repeat", type=int, default=3, help="times that each is done")
    options.add_argument("--small", action="store_true", help="tiny inputs, to try this out")
    options.add_argument("--directory", default="/dev/shm", help="where all of it happens")
    return options


def _chosen(work: Path, names: str, account: str) -> list[Builder]:
    builders: list[Builder] = []
    for name in names.split(","):
        match name:
            case "img":
                builders.append(ImgBuilder(work, pwd.getpwuid(os.geteuid())))
            case "user" if os.geteuid() == 0:
                user = pwd.getpwnam(account) if account else user_with_ids()
                if user is None:
                    _say("img (user): nobody has subordinate ids")
                else:
                    builders.append(ImgBuilder(work, user))
            case "buildah":
                builders.append(BuildahBuilder(work))
            case "buildkit":
                builders.append(BuildKitBuilder(work))
    return builders


def _compare(bench: Bench, subjects: Sequence[str], builders: Sequence[Builder]) -> int:
    measured: list[Measured] = []
    failures = 0
    able = []
    for builder in builders:
        obstacle = builder.obstacle()
        _say(f"{builder.name}: {obstacle or builder.remark}")
        if obstacle is None:
            able.append(builder)
    _say(f"processors: {os.cpu_count()}, load: {os.getloadavg()[0]:.1f}")
    for builder in able:
        with builder:
            for subject in subjects:
                try:
                    measured += _told(bench.measure(subject, builder))
                except BuildFailed as failure:
                    _say(f"{builder.name}, {subject}: {failure}")
                    failures += isinstance(builder, ImgBuilder)
    _say(f"load: {os.getloadavg()[0]:.1f}")
    _print_table(measured)
    return min(failures, 1)


def _told(lines: Iterator[Measured]) -> Iterator[Measured]:
    for line in lines:
        seconds = " ".join(f"{cost.seconds:.3f}" for cost in line.costs)
        _say(f"{line.builder}: {line.work.strip()}: {seconds}")
        yield line


def _print_table(measured: Sequence[Measured]) -> None:
    works = list(dict.fromkeys(one.work for one in measured))
    names = list(dict.fromkeys(one.builder for one in measured))
    found = {(one.work, one.builder): one for one in measured}
    _print_row("seconds (times the first)", names)
    for work in works:
        line = [found.get((work, name)) for name in names]
        first = line[0].median(_seconds) if line[0] else None
        _print_row(work, [_cell(one, first) for one in line])
    ours = [name for name in names if name.startswith("img")]
    _print_row("", [])
    _print_row("processor seconds, largest process", ours)
    for work in works:
        _print_row(work, [_burden(found.get((work, name))) for name in ours])


def _print_row(title: str, cells: Sequence[str]) -> None:
    sys.stdout.write(f"{title:<40}{''.join(f'{cell:>18}' for cell in cells)}".rstrip() + "\n")


def _cell(one: Measured | None, first: float | None) -> str:
    seconds = one.median(_seconds) if one else None
    if seconds is None:
        return "-"
    return f"{seconds:.2f} ({seconds / first:.1f}x)" if first else f"{seconds:.2f}"


def _burden(one: Measured | None) -> str:
    cpu = one.median(lambda cost: cost.cpu_seconds) if one else None
    peak = one.median(lambda cost: cost.peak_bytes) if one else None
    return "-" if cpu is None or peak is None else f"{cpu:.2f} s, {peak / 1e6:.0f} MB"


def _seconds(cost: Cost) -> float:
    return cost.seconds


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
