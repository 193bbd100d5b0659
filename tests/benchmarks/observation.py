#!/usr/bin/env python3
"""The cost of records of builds (docs/history.md), and of traces (docs/ci.md), for builds.

    tests/benchmarks/observation.py [--rounds N] [--directory DIR]

Measured are processor time and time of three builds: 20 RUNs that do nothing, a COPY of which one
file of 10,000 has changed, and a build that finds 26 of 30 steps. Builds with records, with traces
and with neither follow each other in changing order, because a machine is not equally fast all the
time. Traces go to a collector on loopback. Printed are medians, and the medians of the differences
between a build and the one with neither in the same round.
"""

import argparse
import os
import pwd
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.benchmarks import inputs  # noqa: E402
from tests.benchmarks.builders import Cost, ImgBuilder  # noqa: E402
from tests.support.servers.collector import collecting  # noqa: E402
from tests.support.servers.registry_server import RegistryServer  # noqa: E402

_OFF = {"IMG_HISTORY": "0"}
_SIZES = replace(inputs.Sizes(), files=10_000, tree_bytes=58_000_000)
_UNMEASURED = 2  # first rounds, which fill caches


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the costs."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=20, help="times that each build is done")
    options.add_argument("--directory", default="/dev/shm", help="where all of it happens")
    given = options.parse_args(arguments)
    work = Path(tempfile.mkdtemp(prefix="img-observation-", dir=given.directory))
    try:
        with RegistryServer() as registry, collecting() as collector:
            ways = {
                "neither": _OFF,
                "records": {},
                "traces": {**_OFF, **collector.variables},
            }
            for name, change, cache in _works(work, registry.address):
                _print(name, _measured(work / name, change, cache, ways, given.rounds))
            assert collector.spans
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


def _works(work: Path, registry: str) -> Iterator[tuple[str, Callable[[Path], object], bool]]:
    """Yield the names of contexts, which are written, what changes them, and if caches are used."""
    base = inputs.push_small_base(registry)
    inputs.write_runs(work / "20 RUN", base, 20)
    yield "20 RUN", str, False
    inputs.write_tree_copy(work / "one of 10,000 files", _SIZES)
    yield "one of 10,000 files", inputs.change_one_file, True
    inputs.write_steps(work / "26 of 30 steps cached", base, 30)
    yield "26 of 30 steps cached", _change_last_copy, True


def _change_last_copy(context: Path) -> None:
    (context / "file26").write_text(f"{time.time_ns()}\n")


def _measured(
    context: Path,
    change: Callable[[Path], object],
    cache: bool,
    ways: dict[str, dict[str, str]],
    rounds: int,
) -> dict[str, list[Cost]]:
    """Return the costs of each round, by the way."""
    user = pwd.getpwuid(os.geteuid())
    builders = {
        way: ImgBuilder(context.parent, user, environment=environment)
        for way, environment in ways.items()
    }
    found: dict[str, list[Cost]] = {way: [] for way in ways}
    for number in range(rounds + _UNMEASURED):
        order = [*ways]
        for way in order[number % len(order) :] + order[: number % len(order)]:
            change(context)
            cost = builders[way].build(context, cache=cache)
            if number >= _UNMEASURED:
                found[way].append(cost)
    next(iter(builders.values())).forget()
    return found


def _print(name: str, found: dict[str, list[Cost]]) -> None:
    without = found["neither"]
    for way, costs in found.items():
        processor = _difference([_cpu(cost) for cost in costs], [_cpu(cost) for cost in without])
        clock = _difference([cost.seconds for cost in costs], [cost.seconds for cost in without])
        sys.stdout.write(f"{name:<24}{way:<10}processor {processor}   clock {clock}\n")
        sys.stdout.flush()


def _cpu(cost: Cost) -> float:
    assert cost.cpu_seconds is not None
    return cost.cpu_seconds


def _difference(some: Sequence[float], without: Sequence[float]) -> str:
    more = statistics.median(one - other for one, other in zip(some, without, strict=True))
    share = more / statistics.median(without)
    return f"{statistics.median(some):7.3f} s {more * 1000:+7.1f} ms {share:+6.1%}"


if __name__ == "__main__":
    sys.exit(main())
