"""Signatures without a key: a certificate of a short life states the signer's identity."""

from abc import abstractmethod
from typing import Protocol

from img.application.ports.signing_keys import BundleSigner
from img.domain.dataclass import dataclass
from img.domain.errors import RemoteError, UsageError
from img.domain.signing.identity import Identity

LARGEST_TRUST = 4 << 20  # bytes of a file that says which services are trusted
LARGEST_TOKEN = 64 << 10


class BadIdentity(UsageError):
    """A token, a trusted root or a configuration of services that cannot be used."""


class SigningServiceFailed(RemoteError):
    """A service of Sigstore refused a request, or did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services of Sigstore; without any they are those of its public instance.

    ``trusted_root`` is the JSON text of a trusted root, or of a client trust configuration, which
    has a signing configuration too. URLs replace those of the signing configuration.
    """

    trusted_root: bytes = b""
    signing_config: bytes = b""
    fulcio: str = ""  # URL of the certificate authority
    rekor: str = ""  # URL of the transparency log, with the API of version 1


class BundleVerifier(Protocol):
    """The signatures of one identity."""

    @abstractmethod
    def problem(self, bundle: bytes, payload: bytes) -> str:
        """Return why ``bundle`` does not sign the statement ``payload``, "" if it does.

        It does if its certificate is of the identity and by a trusted authority, if the signature
        was made while the certificate was valid, and if a trusted log has the signature. No service
        is asked. Nothing raises: a bundle comes from a registry.
        """


class SigningIdentities(Protocol):
    """Identities that providers attest to with tokens, and the services that know them."""

    @abstractmethod
    def token(self) -> str:
        """Return an identity token of the CI system that runs this process, "" without one.

        Raises BadIdentity if the system refuses it.
        """

    @abstractmethod
    def signer(self, token: str, services: Services) -> BundleSigner:
        """Return a signer for the identity in ``token``, with a new key and a certificate for it.

        Each of its signatures gets an entry in the transparency log. Raises BadIdentity,
        SigningServiceFailed; signing raises SigningServiceFailed and BadPredicate.
        """

    @abstractmethod
    def verifier(self, identity: Identity, services: Services) -> BundleVerifier:
        """Return the verifier of signatures by ``identity``. Raises BadIdentity."""
