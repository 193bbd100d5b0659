"""What all fuzzers have in common: seeds, limits, and what is told and kept of a failure.

A target takes one input after the other. Each input is made from its seed alone, so a failure is
repeated by its seed: ``python -m tests.security.fuzz --target NAME --seed SEED --count 1``.
"""

import contextlib
import itertools
import os
import random
import signal
import tempfile
import time
import traceback
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from img.domain.errors import ImgError

TOTAL = int(os.environ.get("IMG_FUZZ", "10000"))  # archives, by all doors together
FIRST_SEED = int(os.environ.get("IMG_FUZZ_SEED", "1"))

_TIME_LIMIT_S = 60.0  # usual is a hundredth of a second; the machine may be busy
_MEMORY_LIMIT = 256 << 20  # bytes that one input may add to what the process holds
_MOST_TRIES = 300  # to make a failing input smaller

_Input = TypeVar("_Input")


class TooSlow(BaseException):
    """One input took longer than the limit; no handler of img may take it for its own."""


class Target(Protocol[_Input]):
    """Something that takes hostile input."""

    name: str

    @abstractmethod
    def make(self, rng: random.Random) -> _Input:
        """Return an input, decided by ``rng`` alone."""

    @abstractmethod
    def take(self, given: _Input) -> None:
        """Let img have the input. What it raises is judged by ``failure_of``."""

    @abstractmethod
    def broken(self) -> str:
        """Return what the input has done that nothing may do, "" for nothing; then clean up."""

    def smaller(self, given: _Input) -> Iterator[_Input]:
        """Yield inputs that are like ``given`` and smaller, the smallest first."""
        return iter(())

    def keep(self, given: _Input, directory: Path) -> None:
        """Write the input to ``directory`` for whoever looks for the fault."""
        (directory / "input").write_text(repr(given))


def rng_of(target: str, seed: int) -> random.Random:
    """Return what decides the input of ``seed``; other targets get others for the same."""
    return random.Random(f"{target}:{seed}")


def fuzz(target: Target[_Input], seeds: Iterator[int] | range) -> int:
    """Try the inputs of all ``seeds`` and return their number. Raises AssertionError."""
    number = 0
    for number, seed in enumerate(seeds, start=1):  # noqa: B007  # it is returned
        given = target.make(rng_of(target.name, seed))
        if reason := failure_of(target, given):
            raise AssertionError(_told(target, seed, given, reason))
    return number


def failure_of(target: Target[_Input], given: _Input) -> str:
    """Return why ``given`` is a failure, "" where it was taken or refused as it should be."""
    _forget_peak()
    before = _memory("VmHWM:")
    reason = ""
    try:
        with time_limit(_TIME_LIMIT_S):
            target.take(given)
    except ImgError as error:
        reason = _bad_message(error)
    except TooSlow:
        reason = f"took longer than {_TIME_LIMIT_S} s\n{traceback.format_exc()}"
    except Exception:
        reason = f"an error that is no ImgError\n{traceback.format_exc()}"
    grown = _memory("VmHWM:") - before
    broken = target.broken()
    if broken:
        return f"{broken}\n{reason}"
    if not reason and grown > _MEMORY_LIMIT:
        return f"took {grown >> 20} MiB of memory"
    return reason


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlow in here after ``seconds``. pytest-timeout's timer goes on afterwards."""

    def too_slow(number: int, frame: object) -> None:
        raise TooSlow

    handler = signal.signal(signal.SIGALRM, too_slow)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    start = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - start), 1.0))


def shards(count: int, of: int) -> list[range]:
    """Return the seeds of a run, ``count`` in all, in ``of`` parts for the workers."""
    ends = [FIRST_SEED + count * number // of for number in range(of + 1)]
    return [range(*pair) for pair in itertools.pairwise(ends)]


def _bad_message(error: ImgError) -> str:
    """Return what is wrong with a refusal: it must say something, and be printable."""
    try:
        shown = f"{error.message} {error.hint or ''}".encode("utf-8", "backslashreplace")
    except Exception:
        return f"a refusal that cannot be shown\n{traceback.format_exc()}"
    return "" if shown.strip() else "a refusal without words"


def _told(target: Target[_Input], seed: int, given: _Input, reason: str) -> str:
    smallest = _smallest(target, given, reason)
    directory = Path(tempfile.mkdtemp(prefix=f"img-fuzz-{target.name}-"))
    target.keep(smallest, directory)
    (directory / "reason").write_text(reason)
    return (
        f"{target.name}, seed {seed}: {reason}\n"
        f"the input is kept in {directory}; again: "
        f"python -m tests.security.fuzz --target {target.name} --seed {seed} --count 1"
    )


def _smallest(target: Target[_Input], given: _Input, reason: str) -> _Input:
    kind = _kind(reason)
    if "longer than" in kind:  # each try would take as long
        return given
    tries = 0
    found = True
    while found:
        found = False
        for candidate in target.smaller(given):
            tries += 1
            if tries > _MOST_TRIES:
                return given
            if _kind(failure_of(target, candidate)) == kind:
                given, found = candidate, True
                break
    return given


def _kind(reason: str) -> str:
    """Return the first and the last line: what failed, and by which error."""
    lines = [line for line in reason.splitlines() if line.strip()] or [""]
    return f"{lines[0].partition(':')[0]} {lines[-1].partition(':')[0]}"


def _memory(key: str) -> int:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith(key):
                return int(line.split()[1]) << 10
    return 0


def _forget_peak() -> None:
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")  # "reset the peak resident set size" (proc(5))
