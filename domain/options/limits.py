"""``--ulimit`` and ``--shm-size``."""

import re

from img.domain.errors import ImgError, UsageError
from img.domain.go.quantities import parse_byte_size
from img.domain.process import Ulimit

# docker/go-units, ulimit.go; the names are setrlimit(2)'s in lower case.
_NAMES = frozenset(
    {
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
        "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
    }
)  # fmt: skip
_LARGEST = 2**63 - 1  # in docker


def parse_ulimit(text: str) -> Ulimit:
    """Return the limit that ``name=soft[:hard]`` sets; -1 means no limit. Raises UsageError.

    Other negative numbers count from 2**64 down, where setrlimit(2) has its largest ones
    (docker/go-units ulimit.go, "GetRlimit").
    """
    found = re.fullmatch(r"([^=]+)=([+-]?\d+)(?::([+-]?\d+))?", text)
    if found is None:
        raise UsageError(f"invalid ulimit argument: {text}", hint="use name=soft[:hard]")
    name, soft = found[1], _limit(found[2])
    hard = _limit(found[3]) if found[3] is not None else soft
    if name not in _NAMES:
        raise UsageError(f"invalid ulimit type: {name}")
    if hard != -1 and (soft == -1 or soft > hard):
        raise UsageError(
            f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        )
    return Ulimit(name=name, soft=soft, hard=hard)


def _limit(text: str) -> int:
    if len(text) > 20 or not ~_LARGEST <= (number := int(text)) <= _LARGEST:
        raise UsageError(f"invalid ulimit value: {text[:40]}", hint="-1 is no limit")
    return number


def parse_shm_size(text: str) -> int:
    """Return the size of ``text`` (such as 128m) in bytes. Raises UsageError."""
    try:
        size = parse_byte_size(text)
    except (ImgError, ValueError) as error:
        raise UsageError(f"invalid --shm-size {text!r}: {error}") from None
    if size < 0:
        raise UsageError(f"invalid --shm-size {text!r}: it must not be negative")
    return size
