"""Keys that make and check signatures."""

from abc import abstractmethod
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, runtime_checkable

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.signing.envelope import Envelope

LARGEST_KEY = 64 << 10  # bytes of a key file

Password = Callable[[], bytes]
"""Returns the password of a private key; called only for an encrypted one."""


class BadKey(UsageError):
    """A key that cannot be used: of an unknown kind, broken, or with another password."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The files of a new key, as PEM: the private one is encrypted by a password."""

    private: bytes
    public: bytes


class Verifier(Protocol):
    """A public key."""

    @abstractmethod
    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Return whether ``signature`` is one of ``signed`` by this key; no signature raises."""

    @property
    @abstractmethod
    def fingerprint(self) -> bytes:
        """The sha256 of the public key's DER text."""


class BundleSigner(Protocol):
    """A key, or an identity without one, that signs statements."""

    @abstractmethod
    def bundle(self, statement: bytes) -> bytes:
        """Return the Sigstore bundle of a signed in-toto statement."""


@runtime_checkable
class Signer(Verifier, BundleSigner, Protocol):
    """A private key."""

    @abstractmethod
    def sign(self, content: bytes) -> bytes:
        """Return the signature of ``content``, which need not be the same each time."""

    def envelope(self, statement: bytes) -> Envelope:
        """Return the envelope of a signed in-toto statement."""
        unsigned = Envelope(payload=statement, signatures=())
        return replace(unsigned, signatures=(self.sign(unsigned.signed),))

    def bundle(self, statement: bytes) -> bytes:
        # cosign, pkg/cosign/bundle: the hint is the digest of the key.
        return self.envelope(statement).bundle(b64encode(self.fingerprint).decode())


class SigningKeys(Protocol):
    """Key files: those of cosign, and PEM."""

    @abstractmethod
    def signer(self, key: bytes, password: Password) -> Signer:
        """Return the private key in a file. Raises BadKey."""

    @abstractmethod
    def verifier(self, key: bytes) -> Verifier:
        """Return the public key in a file, or of a certificate in it. Raises BadKey.

        A private key is refused: it must not be on machines that only verify.
        """

    @abstractmethod
    def generate(self, password: bytes) -> KeyPair:
        """Return a new key, with the private part encrypted."""
