"""Log in to and out of registries."""

from img.application.ports.credential_store import Credentials, CredentialStore
from img.application.ports.registry import Registry
from img.domain.dataclass import dataclass
from img.domain.reference import DOCKER_HUB_SERVER, server_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """``img login``: storing of credentials that a registry accepts."""

    registry: Registry
    credentials: CredentialStore

    def __call__(self, credentials: Credentials, server: str = DOCKER_HUB_SERVER) -> str:
        """Check and store credentials; return the name of the server in the store.

        The credentials of the user are stored, not a token of the registry. Nothing is stored on
        an error. Raises Unauthorized, RegistryError, CredentialsUnreadable.
        """
        server = server_of(server)
        self.registry.check_login(server, credentials)
        self.credentials.put(server, credentials)
        return server

    def known_user(self, server: str = DOCKER_HUB_SERVER) -> str:
        """Return the user name to offer at a prompt, "" for none. Raises CredentialsUnreadable."""
        known = self.credentials.get(server_of(server))
        return known.username if known else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """``img logout``: deletion of the credentials for a registry."""

    credentials: CredentialStore

    def __call__(self, server: str = DOCKER_HUB_SERVER) -> bool:
        """Return whether there were credentials to delete. Raises CredentialsUnreadable."""
        return self.credentials.remove(server_of(server))
