"""``--secret`` and ``--ssh``."""

import re
from collections.abc import Mapping

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.go.csv_fields import BadCsv, split_csv

_VARIABLE = r"\$(?:(\w+)|\{([^}]*)\})"  # as in os.path.expandvars


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSpec:
    """``id=X[,src=FILE|,env=NAME][,type=file|env]`` (buildx, util/buildflags/secrets.go).

    With neither a file nor a variable, the value is that of variable X, or of file X if there is
    no such variable.
    """

    id: str
    path: str = ""
    env: str = ""

    @classmethod
    def parse(cls, text: str) -> "SecretSpec":
        """Return the secret that ``text`` describes. Raises UsageError."""
        values = {"id": "", "path": "", "env": ""}
        kind = ""
        for key, value in _pairs(text):
            match key.lower():
                case "type":
                    if value not in {"file", "env"}:
                        raise UsageError(f"unsupported secret type {value!r}")
                    kind = value
                case "id":
                    values["id"] = value
                case "source" | "src":
                    values["path"] = value
                case "env":
                    values["env"] = value
                case _:
                    raise UsageError(f"unexpected key '{key}' in '{key}={value}'")
        if kind == "env" and not values["env"]:
            values["env"], values["path"] = values["path"], ""
        return cls(**values)

    def file(self, environment: Mapping[str, str]) -> str | None:
        """Return the path of the file with the value, None if a variable has it.

        ``$NAME`` and ``${NAME}`` in the path are replaced if the variable is set.
        """
        if self.env or (not self.path and self.id in environment):
            return None

        def value(found: re.Match[str]) -> str:
            return environment.get(found[1] or found[2], found[0])

        return re.sub(_VARIABLE, value, self.path or self.id, flags=re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """``id[=socket|key[,key]]``; without paths, the agent of the environment is used.

    ``raw`` forwards any socket, not only that of an agent.
    """

    id: str
    paths: tuple[str, ...] = ()
    raw: bool = False

    @classmethod
    def parse(cls, text: str) -> "AgentSpec":
        """Return the agent that ``text`` describes. Raises UsageError."""
        name, equals, rest = text.partition("=")
        if not equals:
            return cls(id=name)
        paths = []
        raw = False
        for part in rest.split(","):
            key, found, value = part.partition("=")
            if found and key == "raw":
                raw = _boolean(value)
            else:
                paths.append(part)
        if raw and len(paths) != 1:
            raise UsageError(f'raw mode must supply exactly one socket path for "{name}"')
        return cls(id=name, paths=tuple(paths), raw=raw)


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        fields = split_csv(text)
    except BadCsv as error:
        raise UsageError(f"invalid secret {text!r}: {error}") from None
    if not fields:
        raise UsageError("failed to parse csv secret: EOF")
    pairs = []
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            raise UsageError(f"invalid field '{field}' must be a key=value pair")
        pairs.append((key, value))
    return pairs


def _boolean(text: str) -> bool:
    value = parse_boolean(text)
    if value is None:
        raise UsageError(f"invalid value for 'raw': {text}")
    return value
