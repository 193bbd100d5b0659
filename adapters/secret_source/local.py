"""Secrets from files and the environment; SSH agents of this machine."""

import errno
import os
import select
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from img.adapters.linux.regular_files import read_at_most
from img.adapters.secret_source.agent_socket import AgentSocket
from img.adapters.secret_source.key_agent import KeyAgent
from img.adapters.storage.ownership import REAL, Ownership
from img.application.ports.secret_source import SecretSource
from img.domain.errors import ContextError, UsageError
from img.domain.options.secrets import AgentSpec, SecretSpec

_TIMEOUT_S = 120  # for a program that asks for a passphrase first
_LARGEST = 500 * 1024  # bytes; BuildKit's limit (session/secrets)


class LocalSecrets(SecretSource):
    """The secrets and agents of the options ``--secret`` and ``--ssh``."""

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
        path = spec.file(self._environment)
        if path is not None:
            return _read(name, path)
        value = self._environment.get(spec.env or name)
        return None if value is None else os.fsencode(value)

    @contextmanager
    def agent(self, name: str, *, mode: int, uid: int, gid: int) -> Iterator[str | None]:
        spec = self._agents.get(name)
        if spec is None:
            yield None
            return
        with (
            self._socket_of(spec) as upstream,
            AgentSocket(upstream, mode=mode, uid=uid, gid=gid, ownership=self._ownership) as path,
        ):
            yield path

    @contextmanager
    def _socket_of(self, spec: AgentSpec) -> Iterator[str]:
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
        return _content(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ContextError(f"secret {name}: cannot read {path}: {reason}") from None


def _content(path: str) -> bytes:
    """Return the content of a file or a FIFO, as of ``src=<(command)``. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            _wait_for_writer(descriptor)
        os.set_blocking(descriptor, True)
        return read_at_most(descriptor, _LARGEST)
    finally:
        os.close(descriptor)


def _wait_for_writer(fifo: int) -> None:
    """Wait until a FIFO has data, or its writer is gone. Raises OSError."""
    waiting = select.poll()
    waiting.register(fifo, select.POLLIN)
    if not waiting.poll(_TIMEOUT_S * 1000):
        raise OSError(errno.ETIMEDOUT, f"nothing was written into the FIFO for {_TIMEOUT_S} s")
