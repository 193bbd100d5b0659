"""Credentials for registries."""

from abc import abstractmethod
from dataclasses import field
from typing import Protocol

from img.domain.dataclass import dataclass
from img.domain.errors import ImgError


class CredentialsUnreadable(ImgError):
    """A credentials file or the answer of a credential helper is invalid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user name and a password, or a token in their place."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)  # OAuth2 refresh token
    registry_token: str = field(default="", repr=False)  # sent as it is


class CredentialStore(Protocol):
    """Credentials by registry server, such as ``quay.io`` or ``https://index.docker.io/v1/``.

    Several threads may use one store.
    """

    @abstractmethod
    def get(self, server: str, repository: str = "") -> Credentials | None:
        """Return the credentials for ``repository``, None for anonymous access.

        Raises CredentialsUnreadable.
        """

    @abstractmethod
    def put(self, server: str, credentials: Credentials) -> None:
        """Store credentials, in place of older ones. Atomic; only the user can read the file.

        Raises CredentialsUnreadable.
        """

    @abstractmethod
    def remove(self, server: str) -> bool:
        """Delete credentials; return whether there were any. Raises CredentialsUnreadable."""
