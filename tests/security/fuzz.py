"""Fuzz for as long as one likes: ``python -m tests.security.fuzz --minutes 10``.

New seeds at each start, unless ``--seed`` says the first. With ``--target`` one target alone. Each
process goes through all targets in turn; the first failure ends it, and its input is kept.
"""

import argparse
import multiprocessing
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.host import in_memory
from tests.security.archive_doors import DOORS
from tests.security.document_targets import Documents, Images
from tests.security.fuzzing import fuzz
from tests.security.registry_target import Registry

TARGETS: dict[str, tuple[type[Any], int]] = {
    # and how many inputs it takes before the next one has its turn
    **{door.name: (door, 10 * share) for door, share in DOORS.items()},
    Documents.name: (Documents, 500),
    Images.name: (Images, 50),
    Registry.name: (Registry, 100),
}


def main() -> int:
    """Return the number of processes that found a failure."""
    options = _options()
    names = [options.target] if options.target else list(TARGETS)
    first = secrets.randbelow(1 << 40) if options.seed is None else options.seed
    if options.count:
        return _count(names, first, options.count)
    ends = time.monotonic() + 60 * options.minutes
    _tell(f"first seed {first}, {options.jobs} processes, {options.minutes} minutes")
    processes = [
        multiprocessing.Process(target=_go_on, args=(names, first + (number << 40), ends))
        for number in range(options.jobs)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return sum(process.exitcode != 0 for process in processes)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, help="the first one, or that of a failure")
    parser.add_argument("--count", type=int, default=0, help="inputs, in place of minutes")
    parser.add_argument("--target", choices=sorted(TARGETS))
    return parser.parse_args()


def _count(names: list[str], first: int, count: int) -> int:
    for name in names:
        tried = _round(name, range(first, first + count))
        _tell(f"{name}: {tried} inputs")
    return 0


def _go_on(names: list[str], first: int, ends: float) -> None:
    tried = dict.fromkeys(names, 0)
    try:
        while time.monotonic() < ends:
            for name in names:
                seeds = range(first, first + TARGETS[name][1])
                tried[name] += _round(name, seeds)
                first = seeds.stop
    finally:
        told = ", ".join(f"{name} {number}" for name, number in tried.items())
        _tell(f"{sum(tried.values())} inputs: {told}")


def _round(name: str, seeds: range) -> int:
    with tempfile.TemporaryDirectory(prefix="img-fuzz-", dir=in_memory()) as place:
        target = TARGETS[name][0](Path(place))
        try:
            return fuzz(target, seeds)
        finally:
            target.close()


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
