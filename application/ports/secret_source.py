"""Secrets and SSH agents for RUN, which are not part of layers."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import Protocol

from img.domain.errors import BuildError


class SecretNotFound(BuildError):
    """A required secret is missing."""

    def __init__(self, name: str) -> None:
        super().__init__(f"secret {name}: not found", hint=f"give it with --secret id={name}")
        self.name = name


class AgentNotForwarded(BuildError):
    """A required SSH agent is missing."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f'no SSH key "{name}" forwarded from the client', hint=f"give it with --ssh {name}"
        )
        self.name = name


class SecretSource(Protocol):
    """Secrets and agents by ID; several threads may use it."""

    @abstractmethod
    def secret(self, name: str) -> bytes | None:
        """Return the value, None if there is none. Raises ContextError if it is unreadable."""

    @abstractmethod
    def agent(
        self, name: str, *, mode: int, uid: int, gid: int
    ) -> AbstractContextManager[str | None]:
        """Enter with the path of a socket of the agent, None if there is no agent.

        The socket has ``mode`` and the owner ``uid``:``gid``; it is deleted at the end.
        """
