"""Who to be at which registry."""

from abc import abstractmethod
from dataclasses import field
from typing import Protocol

from img.domain.dataclass import dataclass
from img.domain.errors import ImgError


class CredentialsUnreadable(ImgError):
    """A credentials file, or a credential helper, that gives no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A name and a password, or a token that stands for both."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)  # OAuth2 refresh token
    registry_token: str = field(default="", repr=False)  # sent as it is


class CredentialStore(Protocol):
    """Credentials by registry server, such as ``quay.io`` or ``https://index.docker.io/v1/``."""

    @abstractmethod
    def get(self, server: str, repository: str = "") -> Credentials | None:
        """Return who to be, None for nobody. Raises CredentialsUnreadable."""

    @abstractmethod
    def put(self, server: str, credentials: Credentials) -> None:
        """Remember; replaces what was there. Atomic, readable by the user alone."""

    @abstractmethod
    def remove(self, server: str) -> bool:
        """Forget; tell whether there was something to forget."""
