"""The options that limit resources: ``--memory``, ``--cpu-quota``, ``--cpuset-cpus`` …"""

import re
from collections.abc import Mapping, Sequence

from img.domain.errors import UsageError
from img.domain.go.quantities import BadQuantity, parse_byte_size, parse_duration
from img.domain.resources import Resources

_LEAST_MEMORY = 6 << 20  # bytes; docker's minimum: a process does not start with less
_PERIOD = 100_000  # microseconds; the kernel's minimum
_PERIODS = range(1_000, 1_000_001)
_LEAST_QUOTA = 1_000  # microseconds
_MOST_CPUS = 1 << 20  # more than any machine has, and small enough for the kernel's numbers
_MOST_RETRIES = 100
_SHARES = range(2, 262_145)
_OF_BUILDX = (
    "memory", "memory-swap", "cpu-shares", "cpu-period", "cpu-quota", "cpuset-cpus", "cpuset-mems",
)  # fmt: skip


def parse_resources(options: Mapping[str, str], more: Sequence[str] = ()) -> Resources:
    """Return the limits of ``options``, by name, and of buildx's ``--resource name=value``.

    Names are those of the long options, without dashes. Raises UsageError (docker,
    daemon_unix.go, "verifyPlatformContainerResources").
    """
    texts = {**options, **dict(_resource(text) for text in more)}
    period, quota = _processor_time(texts)
    memory = _bytes(texts, "memory")
    return Resources(
        memory=memory,
        memory_swap=_memory_and_swap(texts, memory),
        cpu_shares=_number(texts, "cpu-shares", _SHARES),
        cpu_period=period,
        cpu_quota=quota,
        cpuset_cpus=_list(texts, "cpuset-cpus"),
        cpuset_mems=_list(texts, "cpuset-mems"),
        cgroup_parent=_parent(texts.get("cgroup-parent", "")),
    )


def _resource(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or name not in _OF_BUILDX:
        raise UsageError(
            f"invalid --resource {text!r}", hint=f"NAME=VALUE, with one of {', '.join(_OF_BUILDX)}"
        )
    return name, value


def _bytes(texts: Mapping[str, str], name: str) -> int:
    text = texts.get(name, "")
    try:
        size = parse_byte_size(text) if text else 0
    except BadQuantity as error:
        raise UsageError(f"invalid --{name} {text!r}: {error}", hint="such as 512m or 2g") from None
    if size < 0 or 0 < size < _LEAST_MEMORY:
        raise UsageError(f"invalid --{name} {text!r}: the least is 6m")
    return size


def _memory_and_swap(texts: Mapping[str, str], memory: int) -> int:
    if texts.get("memory-swap", "") == "-1":
        return -1
    both = _bytes(texts, "memory-swap")
    if both and not memory:
        raise UsageError("--memory-swap limits memory and swap together: set --memory as well")
    if both and both < memory:
        raise UsageError("--memory-swap is memory and swap together: it must not be below --memory")
    return both


def _processor_time(texts: Mapping[str, str]) -> tuple[int, int]:
    """Return period and quota, in microseconds."""
    period = _number(texts, "cpu-period", _PERIODS)
    quota = _number(texts, "cpu-quota", range(_LEAST_QUOTA, 1 << 44))
    cpus = texts.get("cpus", "")
    if not cpus:
        return period, quota
    if period or quota:
        raise UsageError("--cpus says what --cpu-period and --cpu-quota say: give one of them")
    from decimal import Decimal, InvalidOperation  # imported here, because it is slow

    try:
        count = Decimal(cpus)
    except InvalidOperation:
        count = Decimal("NaN")
    if not (count.is_finite() and count <= _MOST_CPUS and count * _PERIOD >= _LEAST_QUOTA):
        raise UsageError(f"invalid --cpus {cpus!r}", hint="a number of processors, such as 1.5")
    return _PERIOD, int(count * _PERIOD)


def _number(texts: Mapping[str, str], name: str, allowed: range) -> int:
    text = texts.get(name, "")
    if text in ("", "0"):
        return 0
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) not in allowed:
        raise UsageError(
            f"invalid --{name} {text!r}", hint=f"a number from {allowed[0]} to {allowed[-1]}"
        )
    return int(text)


def _list(texts: Mapping[str, str], name: str) -> str:
    text = texts.get(name, "")
    if text and not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text, re.ASCII):
        raise UsageError(f"invalid --{name} {text!r}", hint="numbers, such as 0-3 or 0,1")
    return text


def _parent(text: str) -> str:
    if ".." in text.split("/"):
        raise UsageError(f"invalid --cgroup-parent {text!r}: it must not climb")
    return text


def parse_retries(number: int) -> int:
    """Return the number of ``--retry``. Raises UsageError."""
    if not 0 <= number <= _MOST_RETRIES:
        raise UsageError(f"invalid --retry {number}", hint=f"a number from 0 to {_MOST_RETRIES}")
    return number


def parse_step_limit(text: str) -> float | None:
    """Return the seconds of ``--timeout``, such as 90s or 1h30m; None for "". Raises UsageError."""
    if not text:
        return None
    try:
        nanoseconds = parse_duration(text)
    except BadQuantity:
        nanoseconds = 0
    if nanoseconds <= 0:
        raise UsageError(f"invalid --timeout {text!r}", hint="such as 90s, 10m or 1h30m")
    return nanoseconds / 10**9
