"""The table ``[cluster]`` of the settings file: how img starts workers, and certificates."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.go.quantities import BadQuantity, parse_byte_size, parse_duration

_TABLE = "cluster"
_GIB = 1 << 30
_MOST = 10_000
_WALLTIME = r"(?:\d+-)?\d{1,3}:\d\d:\d\d"
_CONTROL = r"[\x00-\x1f\x7f]"
_FIELDS = {"start-timeout": "start_timeout_s", "cache-mounts": "cache_mounts"}
_VARIABLES = {"ca": "IMG_CLUSTER_CA", "cert": "IMG_CLUSTER_CERT", "key": "IMG_CLUSTER_KEY"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """The start of workers, and the files for TLS; "" leaves a choice to the other side."""

    workers: int = 2  # jobs of a batch system
    processors: int = 4  # of each worker in a batch system; steps that it runs at a time
    memory: int = 8 * _GIB  # bytes of each worker in a batch system
    walltime: str = "01:00:00"  # of a job
    queue: str = ""  # the partition of Slurm
    account: str = ""
    directives: tuple[str, ...] = ()  # more options of a job, such as --constraint=ib
    prologue: tuple[str, ...] = ()  # lines of shell before the worker
    command: str = ""  # img on the machines of workers; "": that of this process
    interface: str = ""  # the network of scheduler and workers, such as ib0
    state: str = ""  # the state directory of workers
    logs: str = ""  # the directory for the output of jobs; "": none is kept
    cache_mounts: int = 2 * _GIB  # the most bytes of a cache mount that is kept; 0: none is
    # For the first worker, or one that can run a step; None: the default of each.
    start_timeout_s: float | None = None
    ca: str = ""  # PEM files
    cert: str = ""
    key: str = ""

    @property
    def has_tls(self) -> bool:
        """True if there are certificates for TLS."""
        return bool(self.ca and self.cert and self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """A settings file; ``directory`` is its absolute one."""

    path: str
    directory: str
    content: bytes


def parse_cluster_settings(
    files: Sequence[SettingsFile], environment: Mapping[str, str]
) -> ClusterSettings:
    """Return the settings in TOML files; keys of later files count, and variables most.

    Raises UsageError.
    """
    given: dict[str, Any] = {}
    for file in files:
        given |= _table_in(file)
    given |= {
        name: environment[variable]
        for name, variable in _VARIABLES.items()
        if environment.get(variable)
    }
    settings = ClusterSettings(**given)
    missing = [name for name in _VARIABLES if not getattr(settings, name)]
    if 0 < len(missing) < len(_VARIABLES):
        raise UsageError(
            f"certificates of the cluster: {' and '.join(missing)} is not set",
            hint=f"set ca, cert and key in the settings file, or {', '.join(_VARIABLES.values())}",
        )
    return settings


def _table_in(file: SettingsFile) -> Mapping[str, object]:
    try:
        document = tomllib.loads(file.content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{file.path}: {error}") from None
    for name in document:
        if name not in (_TABLE, "policy"):
            known = f"[{_TABLE}] and [policy] are known"
            raise UsageError(f"{file.path}: unknown table [{name}]", hint=known)
    table = document.get(_TABLE, {})
    if not isinstance(table, dict):
        raise UsageError(f"{file.path}: {_TABLE} is no table")
    found = {_field_of(name): _value(file.path, name, each) for name, each in table.items()}
    return {
        name: f"{file.directory}/{value}" if _is_relative(name, value) else value
        for name, value in found.items()
    }


def _is_relative(name: str, value: object) -> bool:
    """Tell whether it is the path of a certificate beside the settings file."""
    return name in _VARIABLES and isinstance(value, str) and not value.startswith("/")


def _field_of(name: str) -> str:
    return _FIELDS.get(name, name)


def _value(file: str, name: str, value: object) -> Any:
    match name:
        case "workers" | "processors":
            return _number(file, name, value)
        case "memory":
            return _measured(file, name, value, parse_byte_size, "16GB")
        case "cache-mounts":
            return 0 if value == "0" else _measured(file, name, value, parse_byte_size, "2GB")
        case "start-timeout":
            return _measured(file, name, value, parse_duration, "5m") / 1e9
        case "directives" | "prologue":
            return _lines(file, name, value)
        case "walltime":
            if not re.fullmatch(_WALLTIME, text := _text(file, name, value)):
                _refuse(file, name, "is no time", "such as 01:30:00")
            return text
        case "state" | "logs":
            if not (text := _text(file, name, value)).startswith("/"):
                _refuse(file, name, "is no absolute path", "such as /scratch/img")
            return text
        case _ if name in _NAMES:
            return _text(file, name, value)
        case _:
            return _refuse(file, name, "is unknown", f"one of {', '.join(_NAMES)}")


_NAMES = (
    *("workers", "processors", "memory", "walltime", "queue", "account", "directives", "prologue"),
    *("command", "interface", "state", "logs", "start-timeout", "ca", "cert", "key"),
    "cache-mounts",
)


def _number(file: str, name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MOST:
        return _refuse(file, name, f"is no number from 1 to {_MOST}", "such as 4")
    return value


def _measured(
    file: str, name: str, value: object, parse: Callable[[str], int], example: str
) -> int:
    try:
        number = parse(_text(file, name, value))
    except BadQuantity:
        number = 0
    return number if number > 0 else _refuse(file, name, "cannot be read", f"such as {example}")


def _lines(file: str, name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return _refuse(file, name, "is no list", 'such as ["--constraint=ib"]')
    return tuple(_text(file, name, each) for each in value)


def _text(file: str, name: str, value: object) -> str:
    if not isinstance(value, str) or re.search(_CONTROL, value):
        return _refuse(file, name, "is no text of one line", 'in quotes, such as "a"')
    return value


def _refuse(file: str, name: str, problem: str, hint: str) -> NoReturn:
    raise UsageError(f"{file}: {name} in [{_TABLE}] {problem}", hint=hint)
