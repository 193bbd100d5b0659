"""Being somebody at a registry."""

from img.application.ports.credential_store import Credentials, CredentialStore
from img.application.ports.registry import Registry
from img.domain.dataclass import dataclass
from img.domain.reference import DOCKER_HUB_SERVER, server_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Remembers credentials that the registry has taken."""

    registry: Registry
    credentials: CredentialStore

    def __call__(self, credentials: Credentials, server: str = DOCKER_HUB_SERVER) -> str:
        """Return the server under whose name the credentials are kept.

        What is kept is what the user gave, never the short-lived token they buy.
        Raises Unauthorized, RegistryError, CredentialsUnreadable; nothing is kept then.
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
    """Forgets the credentials for a registry."""

    credentials: CredentialStore

    def __call__(self, server: str = DOCKER_HUB_SERVER) -> bool:
        """Tell whether there was somebody to forget. Raises CredentialsUnreadable."""
        return self.credentials.remove(server_of(server))
