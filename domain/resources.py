"""What a step may use of the machine."""

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Limits as control groups count them (docker build, "--memory" and its neighbours).

    0 and "" set no limit. In no cache key: they decide whether a step ends well, not what it makes.
    """

    memory: int = 0  # bytes
    memory_swap: int = 0  # bytes of memory and swap together; -1: as much swap as there is
    cpu_shares: int = 0  # against 1024 of others
    cpu_period: int = 0  # microseconds
    cpu_quota: int = 0  # microseconds of all processors in each period
    cpuset_cpus: str = ""  # such as 0-3,7
    cpuset_mems: str = ""
    cgroup_parent: str = ""  # where the groups are made; "" leaves it to img

    @property
    def options(self) -> tuple[str, ...]:
        """The options that would say this, for messages."""
        return tuple(f"--{name.replace('_', '-')}" for name in _NAMES if getattr(self, name))


_NAMES = (
    "memory", "memory_swap", "cpu_shares", "cpu_period", "cpu_quota", "cpuset_cpus", "cpuset_mems",
    "cgroup_parent",
)  # fmt: skip
