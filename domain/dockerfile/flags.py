"""The ``--flags`` of an instruction (BuildKit frontend/dockerfile/instructions/bflag.go)."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.dockerfile.suggestion import did_you_mean
from img.domain.errors import DockerfileError


class FlagKind(Enum):
    """The kind of a flag's value."""

    BOOLEAN = "a boolean, true where none is given"
    TEXT = "a value, once"
    TEXTS = "a value, any number of times"


_BOOLEAN, _TEXT, _TEXTS = FlagKind.BOOLEAN, FlagKind.TEXT, FlagKind.TEXTS
# The flags of each instruction, which parse_flags is given.
FLAGS: Mapping[str, Mapping[str, FlagKind]] = {
    "from": {"platform": _TEXT},
    "run": {"mount": _TEXTS, "network": _TEXT, "security": _TEXT, "device": _TEXTS},
    "copy": {
        "chown": _TEXT,
        "chmod": _TEXT,
        "from": _TEXT,
        "link": _BOOLEAN,
        "parents": _BOOLEAN,
        "exclude": _TEXTS,
    },
    "add": {
        "chown": _TEXT,
        "chmod": _TEXT,
        "link": _BOOLEAN,
        "keep-git-dir": _BOOLEAN,
        "checksum": _TEXT,
        "unpack": _BOOLEAN,
        "exclude": _TEXTS,
    },
    "healthcheck": {
        "interval": _TEXT,
        "timeout": _TEXT,
        "start-period": _TEXT,
        "start-interval": _TEXT,
        "retries": _TEXT,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """Flags of an instruction, by name without the dashes."""

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return the value of ``name``, "" if the flag is not given."""
        return self.values.get(name, ("",))[-1]

    def texts(self, name: str) -> tuple[str, ...]:
        """Return all values of ``name``, in order."""
        return self.values.get(name, ())

    def boolean(self, name: str) -> bool | None:
        """Return the value of ``name``, None if the flag is not given."""
        return self.text(name) == "true" if name in self.values else None


def parse_flags(given: Sequence[str], known: Mapping[str, FlagKind]) -> Flags:
    """Return the flags of an instruction that accepts ``known``. Raises DockerfileError."""
    values: dict[str, tuple[str, ...]] = {}
    for flag in given:
        written, has_value, value = flag.partition("=")
        name = written.removeprefix("--")
        if name not in known:
            raise DockerfileError(f"unknown flag: {written}{did_you_mean(name, known)}")
        if name in values and known[name] is not FlagKind.TEXTS:
            raise DockerfileError(f"duplicate flag specified: {written}")
        if known[name] is FlagKind.BOOLEAN:
            value = _boolean(written, value or "true") if value or not has_value else ""
        if not value and (not has_value or known[name] is FlagKind.BOOLEAN):
            raise DockerfileError(f"missing a value on flag: {written}")
        values[name] = (*values.get(name, ()), value)
    return Flags(values=values)


def _boolean(written: str, value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise DockerfileError(f"expecting boolean value for flag {written}, not: {value}")
    return value.lower()
