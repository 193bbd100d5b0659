"""``--cluster``: the scheduler of a cluster, or the system that starts one for a build."""

import re
from typing import NoReturn

from img.domain.dataclass import dataclass
from img.domain.decimal_text import parse_count
from img.domain.errors import UsageError

_OPTION = "--cluster"
_FORMS = "use tcp://HOST:PORT, tls://HOST:PORT, slurm, pbs, kubernetes, ssh:HOST,HOST or local:N"
_MOST_LOCAL = 256
_PORT = 8786  # of dask's scheduler
_ADDRESS = r"(?P<scheme>tcp|tls)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\])(?::(?P<port>\d+))?"
# ssh(1) takes a destination that begins with a hyphen for an option.
_HOST = (
    r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*@)?"
    r"(?:[A-Za-z0-9][A-Za-z0-9._-]*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerAddress:
    """The address of a running scheduler."""

    host: str  # an IPv6 address has brackets
    port: int
    tls: bool

    def __str__(self) -> str:
        return f"{'tls' if self.tls else 'tcp'}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class BatchSystem:
    """A system with queues that starts workers as jobs."""

    kind: str  # slurm or pbs

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """Workers in pods."""

    def __str__(self) -> str:
        return "kubernetes"


@dataclass(frozen=True, slots=True)
class SshHosts:
    """Machines with sshd, one worker on each, as ssh(1) takes their names."""

    hosts: tuple[str, ...]

    def __str__(self) -> str:
        return f"ssh:{','.join(self.hosts)}"


@dataclass(frozen=True, slots=True)
class LocalWorkers:
    """Worker processes on this machine."""

    count: int

    def __str__(self) -> str:
        return f"local:{self.count}"


ClusterAddress = SchedulerAddress | BatchSystem | Kubernetes | SshHosts | LocalWorkers


def parse_cluster(text: str) -> ClusterAddress:
    """Return the cluster that ``text`` names. Raises UsageError."""
    if "://" in text:
        return parse_scheduler(text)
    kind, colon, rest = text.partition(":")
    match kind:
        case "slurm" | "pbs" if not colon:
            return BatchSystem(kind)
        case "kubernetes" if not colon:
            return Kubernetes()
        case "ssh" if colon:
            return _ssh(text, rest)
        case "local" if colon:
            return _local(text, rest)
        case _:
            return _refuse(text, "it names no kind of cluster")


def parse_scheduler(text: str, option: str = _OPTION) -> SchedulerAddress:
    """Return the address ``tcp://HOST[:PORT]`` or ``tls://…``. Raises UsageError."""
    found = re.fullmatch(_ADDRESS, text)
    port = parse_count(found["port"] or str(_PORT)) if found else None
    if found is None or port is None or not 0 < port < 1 << 16:
        problem = "it is no address of a scheduler"
        return _refuse(text, problem, hint="tcp://HOST:PORT or tls://HOST:PORT", option=option)
    return SchedulerAddress(host=found["host"], port=port, tls=found["scheme"] == "tls")


def _ssh(text: str, rest: str) -> SshHosts:
    hosts = tuple(rest.split(","))
    for host in hosts:
        if not re.fullmatch(_HOST, host):
            _refuse(text, f"{host!r} is no host", hint="ssh:HOST,USER@HOST")
    if len(set(hosts)) < len(hosts):
        _refuse(text, "a host is there twice", hint="a worker runs several steps at a time")
    return SshHosts(hosts)


def _local(text: str, rest: str) -> LocalWorkers:
    count = parse_count(rest)
    if count is None or not 0 < count <= _MOST_LOCAL:
        _refuse(text, f"the number of workers is not from 1 to {_MOST_LOCAL}", hint="local:4")
    return LocalWorkers(count)


def _refuse(text: str, problem: str, hint: str = _FORMS, option: str = _OPTION) -> NoReturn:
    raise UsageError(f"invalid {option} {text!r}: {problem}", hint=hint)
