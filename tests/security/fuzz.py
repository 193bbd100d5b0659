"""Fuzz the five doors for as long as one likes: ``python -m tests.security.fuzz options``.

A door is one of the names below, or one of the targets behind it; none means all of them. New
seeds at each start, unless ``--seed`` says the first: an input is made from its seed alone. What
fails is kept, as small as could be, and the run goes on. Each minute says how it stands.
"""

import argparse
import faulthandler
import os
import resource
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.security.archive_doors import DOORS
from tests.security.dockerfile_target import Dockerfiles
from tests.security.document_targets import Documents, Images
from tests.security.fuzzing import Target, failure_of, rng_of
from tests.security.kept_inputs import Findings, Outcomes
from tests.security.option_targets import CommandLines, Texts
from tests.security.registry_target import Registry
from tests.support.host.machine import in_memory

TARGETS: dict[str, tuple[type[Any], int]] = {
    # and how many inputs it takes before the next one has its turn
    **{door.name: (door, 10 * share) for door, share in DOORS.items()},
    Documents.name: (Documents, 2000),
    Images.name: (Images, 100),
    Registry.name: (Registry, 200),
    Dockerfiles.name: (Dockerfiles, 200),
    Texts.name: (Texts, 2000),
    CommandLines.name: (CommandLines, 200),
}
FIVE_DOORS: Mapping[str, tuple[str, ...]] = {
    "registry-answers": (Registry.name,),
    "archives": tuple(door.name for door in DOORS),
    "configs": (Documents.name, Images.name),
    "dockerfile": (Dockerfiles.name,),
    "options": (Texts.name, CommandLines.name),
}
_MEMORY = 4 << 30  # bytes of addresses; what wants more fails with MemoryError
_PATIENCE_S = 1800.0  # for an input; what it may take of the processor is bounded anyway
_LAST_WORD_S = 300  # of CPU without an input done: a hang that no handler in Python ends


def main() -> int:
    """Return 1 if anything failed."""
    options = _options()
    names = FIVE_DOORS.get(options.door, (options.door,)) if options.door else tuple(TARGETS)
    first = secrets.randbelow(1 << 40) if options.seed is None else options.seed
    told = sys.stdout
    if options.seconds:
        told.write(f"first seed {first}, {options.seconds} s, {', '.join(names)}\n")
    run = _Run(names, first, options.seconds, options.count, Path(options.keep))
    run.outcomes = Outcomes(Path(options.outcomes)) if options.outcomes else None
    return run.go()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("door", nargs="?", choices=sorted({*FIVE_DOORS, *TARGETS}))
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, help="the first one, or that of a failure")
    parser.add_argument("--count", type=int, default=0, help="inputs of each, in place of seconds")
    parser.add_argument(
        "--keep", default=tempfile.gettempdir(), help="where inputs that fail are kept"
    )
    parser.add_argument("--outcomes", help="where the smallest input of each outcome is kept")
    options = parser.parse_args()
    if options.count:
        options.seconds = 0.0
    return options


class _Run:
    """One process that goes through its targets in turn."""

    outcomes: Outcomes | None = None

    def __init__(
        self, names: tuple[str, ...], first: int, seconds: float, count: int, keep: Path
    ) -> None:
        self._names = names
        self._seed = first
        self._count = count
        self._start = time.monotonic()
        self._ends = self._start + seconds if seconds else float("inf")
        self._tried = dict.fromkeys(names, 0)
        self._findings = Findings(keep)
        self._next_word = self._start + 60

    def go(self) -> int:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.enable()
        faulthandler.register(signal.SIGVTALRM, chain=True)
        try:
            if self._count:
                for name in self._names:
                    self._round(name, self._count)
            while not self._count and time.monotonic() < self._ends:
                for name in self._names:
                    self._round(name, TARGETS[name][1])
                    self._seed += TARGETS[name][1]
        finally:
            self._tell("ended: ")
        return 1 if self._findings.failures else 0

    def _round(self, name: str, count: int) -> None:
        with tempfile.TemporaryDirectory(prefix="img-fuzz-", dir=in_memory()) as place:
            target: Target[Any] = TARGETS[name][0](Path(place))
            try:
                for seed in range(self._seed, self._seed + count):
                    self._one(target, seed)
                    if time.monotonic() > self._ends:
                        break
            finally:
                target.close()

    def _one(self, target: Target[Any], seed: int) -> None:
        # Where no handler of Python is called any more, this ends the process and says where.
        signal.setitimer(signal.ITIMER_VIRTUAL, _LAST_WORD_S)
        given = target.make(rng_of(target.name, seed))
        reason = failure_of(target, given, _PATIENCE_S)
        self._tried[target.name] += 1
        if self.outcomes and not reason:
            self.outcomes.note(target, given)
        if reason:
            self._findings.failed(target, seed, given, reason)
        if time.monotonic() > self._next_word:
            self._next_word += 60
            self._tell("")

    def _tell(self, before: str) -> None:
        tried = ", ".join(f"{name} {number}" for name, number in self._tried.items())
        usage = resource.getrusage(resource.RUSAGE_SELF)
        sys.stdout.write(
            f"{before}{time.monotonic() - self._start:.0f} s, {sum(self._tried.values())} inputs, "
            f"CPU {usage.ru_utime + usage.ru_stime:.0f} s, now {_resident() >> 20} MiB, "
            f"most {usage.ru_maxrss >> 10} MiB, {len(os.listdir('/proc/self/fd'))} descriptors, "
            f"{self._findings.failures} failures of {len(self._findings.kinds)} kinds: {tried}\n"
        )
        sys.stdout.flush()


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main())
