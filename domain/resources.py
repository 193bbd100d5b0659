"""Limits of memory and processor time for a step."""

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Limits of a control group (docker build, "--memory", "--cpu-quota" and "--cpuset-cpus").

    0 and "" set no limit. Limits are not part of cache keys: they do not change a step's result.
    """

    memory: int = 0  # bytes
    memory_swap: int = 0  # bytes of memory and swap together; -1: no limit of swap
    cpu_shares: int = 0  # relative weight; the default of other groups is 1024
    cpu_period: int = 0  # microseconds
    cpu_quota: int = 0  # microseconds of all processors in each period
    cpuset_cpus: str = ""  # such as 0-3,7
    cpuset_mems: str = ""
    cgroup_parent: str = ""  # the parent of the groups; "": img chooses one

    @property
    def options(self) -> tuple[str, ...]:
        """The options that set these limits, for messages."""
        return tuple(f"--{name.replace('_', '-')}" for name in _NAMES if getattr(self, name))


_NAMES = (
    "memory", "memory_swap", "cpu_shares", "cpu_period", "cpu_quota", "cpuset_cpus", "cpuset_mems",
    "cgroup_parent",
)  # fmt: skip
