"""Secrets out of files and the environment; agents that run here."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from img.adapters.linux.ownership import REAL, Ownership
from img.adapters.secret_source.agent_socket import AgentSocket
from img.adapters.secret_source.key_agent import KeyAgent
from img.application.ports.secret_source import SecretSource
from img.domain.errors import ContextError, UsageError
from img.domain.options.secrets import AgentSpec, SecretSpec

_LARGEST = 500 * 1024  # bytes; BuildKit's limit (session/secrets)


class LocalSecrets(SecretSource):
    """What ``--secret`` and ``--ssh`` name."""

    def __init__(
        self,
        secrets: Sequence[SecretSpec],
        agents: Sequence[AgentSpec],
        *,
        environment: Mapping[str, str] = os.environ,
        ownership: Ownership = REAL,
    ) -> None:
        self._ownership = ownership
        self._secrets = {spec.id or Path(spec.path).name: spec for spec in secrets}
        self._agents = {spec.id or "default": spec for spec in agents}
        self._environment = environment

    def secret(self, name: str) -> bytes | None:
        spec = self._secrets.get(name)
        if spec is None:
            return None
        if spec.env:
            value = self._environment.get(spec.env)
            return None if value is None else os.fsencode(value)
        if not spec.path and name in self._environment:
            return os.fsencode(self._environment[name])
        return _read(name, spec.path or name)

    @contextmanager
    def agent(self, name: str, *, mode: int, uid: int, gid: int) -> Iterator[str | None]:
        spec = self._agents.get(name)
        if spec is None:
            yield None
            return
        with (
            self._agent_behind(spec) as upstream,
            AgentSocket(upstream, mode=mode, uid=uid, gid=gid, ownership=self._ownership) as path,
        ):
            yield path

    @contextmanager
    def _agent_behind(self, spec: AgentSpec) -> Iterator[str]:
        if not spec.paths:
            socket = self._environment.get("SSH_AUTH_SOCK", "")
            if not socket:
                raise UsageError(
                    f"--ssh {spec.id}: invalid empty ssh agent socket",
                    hint="start an agent so that SSH_AUTH_SOCK is set, or name a key",
                )
            yield socket
        elif len(spec.paths) == 1 and (spec.raw or Path(spec.paths[0]).is_socket()):
            yield spec.paths[0]
        else:
            with KeyAgent(spec.paths) as socket:
                yield socket


def _read(name: str, path: str) -> bytes:
    try:
        with open(os.path.expandvars(path), "rb") as file:
            value = file.read(_LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ContextError(f"secret {name}: cannot read {path}: {reason}") from None
    if len(value) > _LARGEST:
        raise ContextError(f"secret {name}: {path} is larger than {_LARGEST} bytes")
    return value
