"""The common part of all fuzzers: seeds, limits, and reports of failures.

A target takes one input after the other. Each input is made from its seed alone, so a failure is
repeated by its seed: ``python -m tests.security.fuzz NAME --seed SEED --count 1``.
"""

import contextlib
import io
import itertools
import os
import random
import re
import signal
import tempfile
import time
import traceback
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from img.domain.errors import ImgError
from img.entrypoints.cli.failures import report

# What no terminal may get but as an escape: shown_text.py has the longer list.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")
TOTAL = int(os.environ.get("IMG_FUZZ", "50000"))  # archives, by all doors together
FIRST_SEED = int(os.environ.get("IMG_FUZZ_SEED", "1"))

_TIME_LIMIT_S = 60.0  # usual is a hundredth of a second; the machine may be busy
_CPU_LIMIT_S = 2.0  # of this process, threads included
_MEMORY_LIMIT = 256 << 20  # bytes that one input may add to what the process holds
_MOST_TRIES = 300  # to make a failing input smaller

_Input = TypeVar("_Input")


class TooSlow(BaseException):
    """One input took longer than the limit; no handler of img may take it for its own."""


class Target(Protocol[_Input]):
    """Something that takes hostile input."""

    name: str
    cpu_limit_s: float = _CPU_LIMIT_S

    @abstractmethod
    def make(self, rng: random.Random) -> _Input:
        """Return an input, decided by ``rng`` alone."""

    @abstractmethod
    def take(self, given: _Input) -> None:
        """Let img have the input. What it raises is judged by ``failure_of``."""

    @abstractmethod
    def broken(self) -> str:
        """Return the forbidden effect of the input, "" for none; then clean up."""

    def smaller(self, given: _Input) -> Iterator[_Input]:
        """Yield inputs that are like ``given`` and smaller, the smallest first."""
        return iter(())

    def render(self, given: _Input) -> bytes:
        """Return the input as it is kept in a file."""
        return repr(given).encode("utf-8", "backslashreplace")

    def parse(self, content: bytes) -> _Input:
        """Return the input that was kept so."""
        raise ValueError(f"{self.name} keeps none, for {len(content)} bytes")

    def close(self) -> None:
        """Close what the target has opened."""
        return

    def keep(self, given: _Input, directory: Path) -> None:
        """Write the input to ``directory`` for the search for the fault."""
        (directory / "input").write_bytes(self.render(given))


def rng_of(target: str, seed: int) -> random.Random:
    """Return the random generator of ``seed``; each target has another one."""
    return random.Random(f"{target}:{seed}")


def fuzz(target: Target[_Input], seeds: Iterator[int] | range) -> int:
    """Try the inputs of all ``seeds`` and return their number. Raises AssertionError."""
    number = 0
    for number, seed in enumerate(seeds, start=1):  # noqa: B007  # it is returned
        given = target.make(rng_of(target.name, seed))
        if reason := failure_of(target, given):
            raise AssertionError(_told(target, seed, given, reason))
    return number


def outcome_of(target: Target[_Input], given: _Input) -> str:
    """Return a name for the way that ``given`` goes: the words of its refusal, "" for none."""
    try:
        target.take(given)
    except ImgError as error:
        words = re.sub(r"([\"'`]).*?\1|\S*[^\sa-z,;:-]\S*", "", error.message, flags=re.DOTALL)
        return f"{type(error).__name__} {' '.join(words.split())[:80]}"
    finally:
        target.broken()
    return ""


def failure_of(target: Target[_Input], given: _Input, patience_s: float | None = None) -> str:
    """Return why ``given`` is a failure, "" where it was taken or refused as it should be.

    ``patience_s`` is for machines that do something else meanwhile.
    """
    _forget_peak()
    before = _memory("VmHWM:")
    reason = ""
    try:
        with time_limit(patience_s or _TIME_LIMIT_S, target.cpu_limit_s):
            target.take(given)
    except ImgError as error:
        reason = _bad_message(error)
    except TooSlow as slow:
        reason = f"took longer than {slow}\n{traceback.format_exc()}"
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
def time_limit(seconds: float, cpu_seconds: float) -> Iterator[None]:
    """Raise TooSlow in here after ``seconds``, or so many of the processor.

    pytest-timeout's timer goes on afterwards.
    """

    def too_slow(number: int, frame: object) -> None:
        raise TooSlow(f"{cpu_seconds} s of CPU" if number == signal.SIGPROF else f"{seconds} s")

    handler = signal.signal(signal.SIGALRM, too_slow)
    signal.signal(signal.SIGPROF, too_slow)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    start = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - start), 1.0))


def shards(count: int, most: int) -> list[range]:
    """Return the seeds of a run, ``count`` in all, in equal parts of up to ``most``."""
    parts = -(-count // most)
    ends = [FIRST_SEED + count * number // parts for number in range(parts + 1)]
    return [range(*pair) for pair in itertools.pairwise(ends)]


def _bad_message(error: ImgError) -> str:
    """Return the fault of a refusal: it needs a message in plain text."""
    try:
        words = f"{error.message} {error.hint or ''}".strip()
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            code = report(error)
    except Exception:
        return f"a refusal that cannot be shown\n{traceback.format_exc()}"
    if not words or not code:
        return "a refusal without words" if code else "a refusal that ends well"
    found = CONTROLS.search(told.getvalue())
    return f"a refusal with {found[0]!r} in it" if found else ""


def _told(target: Target[_Input], seed: int, given: _Input, reason: str) -> str:
    least = smallest(target, given, reason)
    directory = Path(tempfile.mkdtemp(prefix=f"img-fuzz-{target.name}-"))
    target.keep(least, directory)
    (directory / "reason").write_text(reason)
    return (
        f"{target.name}, seed {seed}: {reason}\n"
        f"the input is kept in {directory}; again: "
        f"python -m tests.security.fuzz {target.name} --seed {seed} --count 1"
    )


def smallest(target: Target[_Input], given: _Input, reason: str) -> _Input:
    """Return an input, no larger than ``given``, that fails in the same way."""
    kind = kind_of(reason)
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
            if kind_of(failure_of(target, candidate)) == kind:
                given, found = candidate, True
                break
    return given


def shorter(text: bytes, mark: bytes) -> Iterator[bytes]:
    """Yield ``text`` without one or more of its parts, then without some of its bytes."""
    parts = text.split(mark)
    sizes = (len(parts) // 2, len(parts) // 4, 1)
    for size in sorted({size for size in sizes if size}, reverse=True):
        for at in range(0, len(parts), size):
            if size < len(parts):
                yield mark.join(parts[:at] + parts[at + size :])
    for size in (len(text) // 2, len(text) // 8, 8, 1):
        for at in range(0, len(text) if 0 < size < len(text) else 0, max(size, 1)):
            yield text[:at] + text[at + size :]


def kind_of(reason: str) -> str:
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
