"""What a RUN may see and a layer may never hold: secrets and SSH agents."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import Protocol

from img.domain.errors import BuildError


class SecretNotFound(BuildError):
    """A required secret that nobody gave."""

    def __init__(self, name: str) -> None:
        super().__init__(f"secret {name}: not found", hint=f"give it with --secret id={name}")
        self.name = name


class AgentNotForwarded(BuildError):
    """A required SSH agent that nobody forwarded."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f'no SSH key "{name}" forwarded from the client', hint=f"give it with --ssh {name}"
        )
        self.name = name


class SecretSource(Protocol):
    """Secrets and agents by id."""

    @abstractmethod
    def secret(self, name: str) -> bytes | None:
        """Return the value, None where there is none. Raises ContextError if unreadable."""

    @abstractmethod
    def agent(
        self, name: str, *, mode: int, uid: int, gid: int
    ) -> AbstractContextManager[str | None]:
        """Enter with the path of a socket that leads to the agent, None where there is none.

        The socket has ``mode`` and belongs to ``uid``:``gid``; it is gone after.
        """
