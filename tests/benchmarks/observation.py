#!/usr/bin/env python3
"""The cost of records of builds, --explain, traces, --provenance and --sbom for builds.

    tests/benchmarks/observation.py [--rounds N] [--directory DIR] [--only WORKS] [--ways WAYS]

Measured are processor time and time of builds: 20 RUNs that do nothing, a COPY of all and of one
changed of 10,000 files, a build that finds 26 of 30 steps, and the first build on a base of 82,000
files, with an empty state. Builds with each of these and with none follow each other in random
order, because a machine is not equally fast all the time. Traces go to a collector on loopback.
Printed are medians, and the medians of the differences between a build and the one with none in the
same round.
"""

import argparse
import os
import pwd
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.benchmarks import inputs  # noqa: E402
from tests.benchmarks.builders import Cost, ImgBuilder  # noqa: E402
from tests.support.servers.collector import collecting  # noqa: E402
from tests.support.servers.registry_server import RegistryServer  # noqa: E402

_SIZES = replace(inputs.Sizes(), files=10_000, tree_bytes=58_000_000)
_UNMEASURED = 2  # first rounds, which fill caches


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """An option or an environment of a build."""

    environment: Mapping[str, str] = field(default_factory=lambda: {"IMG_HISTORY": "0"})
    options: Sequence[str] = ()


_WAYS = {
    "records": _Way(environment={}),
    "explain": _Way(environment={}, options=["--explain"]),
    "traces": _Way(),  # with the variables of a collector
    "provenance": _Way(options=["--provenance=true"]),
    "sbom": _Way(options=["--sbom=true"]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A build: ``write`` makes its context, with a base in the registry, and ``change`` another."""

    write: Callable[[Path, str], object]
    change: Callable[[Path], object] = str
    cache: bool = False
    first: bool = False  # nothing is there yet


def _change_last_copy(context: Path) -> None:
    (context / "file26").write_text(f"{time.time_ns()}\n")


_WORKS = {
    "20 RUN": _Work(write=lambda to, at: inputs.write_runs(to, inputs.push_small_base(at), 20)),
    "10,000 files": _Work(write=lambda to, _: inputs.write_tree_copy(to, _SIZES)),
    "one of 10,000 files": _Work(
        write=lambda to, _: inputs.write_tree_copy(to, _SIZES),
        change=inputs.change_one_file,
        cache=True,
    ),
    "26 of 30 steps cached": _Work(
        write=lambda to, at: inputs.write_steps(to, inputs.push_small_base(at), 30),
        change=_change_last_copy,
        cache=True,
    ),
    "first RUN": _Work(
        write=lambda to, at: inputs.write_first_run(to, inputs.push_big_base(at, inputs.Sizes())),
        first=True,
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the costs."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=20, help="times that each build is done")
    options.add_argument("--directory", default="/dev/shm", help="where all of it happens")
    options.add_argument("--only", default=";".join(_WORKS), help="builds, with ; between")
    options.add_argument("--ways", default=",".join(_WAYS), help="what is measured")
    given = options.parse_args(arguments)
    work = Path(tempfile.mkdtemp(prefix="img-observation-", dir=given.directory))
    try:
        with RegistryServer() as registry, collecting() as collector:
            ways = {"none": _Way(), **{name: _WAYS[name] for name in given.ways.split(",")}}
            if traces := ways.get("traces"):
                variables = {**traces.environment, **collector.variables}
                ways["traces"] = replace(traces, environment=variables)
            for name in given.only.split(";"):
                context = work / name
                _WORKS[name].write(context, registry.address)
                _print(name, _measured(context, _WORKS[name], ways, given.rounds))
            assert collector.spans or "traces" not in ways
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


def _measured(
    context: Path, work: _Work, ways: Mapping[str, _Way], rounds: int
) -> dict[str, list[Cost]]:
    """Return the costs of each round, by the way."""
    user = pwd.getpwuid(os.geteuid())
    builders = {
        name: ImgBuilder(context.parent, user, options=way.options, environment=way.environment)
        for name, way in ways.items()
    }
    found: dict[str, list[Cost]] = {way: [] for way in ways}
    for number in range(rounds + _UNMEASURED):
        for way in random.sample([*ways], len(ways)):  # so that none follows always the same one
            if work.first:
                builders[way].forget()
            work.change(context)
            cost = builders[way].build(context, cache=work.cache)
            if number >= _UNMEASURED:
                found[way].append(cost)
    next(iter(builders.values())).forget()
    return found


def _print(name: str, found: dict[str, list[Cost]]) -> None:
    without = found["none"]
    for way, costs in found.items():
        processor = _difference([_cpu(cost) for cost in costs], [_cpu(cost) for cost in without])
        clock = _difference([cost.seconds for cost in costs], [cost.seconds for cost in without])
        sys.stdout.write(f"{name:<24}{way:<12}processor {processor}   clock {clock}\n")
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
