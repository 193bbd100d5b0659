"""Keys that make and check signatures."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError

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


class Signer(Verifier, Protocol):
    """A private key."""

    @abstractmethod
    def sign(self, content: bytes) -> bytes:
        """Return the signature of ``content``, which need not be the same each time."""


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
