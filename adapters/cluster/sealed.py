"""Secrets that only one task can read: Dask logs messages between processes, and its scheduler
passes them on.

The key of a task is made for it and never sent (RFC 7748 and RFC 8439; the hash is HKDF's).
"""

from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from img.adapters.linux import records

_KEY = 32  # bytes of a public key
_NONCE = bytes(12)  # each key seals once
_PURPOSE = b"img secrets of a task"


class NotSealed(ValueError):
    """Bytes that are not sealed for this key."""


class SealedBox:
    """The key of one task; ``public`` is what the sender needs."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def opened(self, sealed: bytes) -> Mapping[str, bytes]:
        """Return the values that were sealed. Raises NotSealed."""
        try:
            sender = X25519PublicKey.from_public_bytes(sealed[:_KEY])
            key = _key(self._private, sender, sealed[:_KEY] + self.public)
            record = ChaCha20Poly1305(key).decrypt(_NONCE, sealed[_KEY:], None)
            values: Mapping[str, bytes] = records.decode(record, Mapping[str, bytes])
        except (InvalidTag, ValueError):
            raise NotSealed("secrets that are not sealed for this task") from None
        return values


def seal(values: Mapping[str, bytes], public: bytes) -> bytes:
    """Return ``values`` for the box with this key. Raises NotSealed if it is no key."""
    own = X25519PrivateKey.generate()
    sender = own.public_key().public_bytes_raw()
    try:
        key = _key(own, X25519PublicKey.from_public_bytes(public), sender + public)
    except ValueError:
        raise NotSealed("no key of a task") from None
    return sender + ChaCha20Poly1305(key).encrypt(_NONCE, records.encode(values), None)


def _key(own: X25519PrivateKey, other: X25519PublicKey, names: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=names, info=_PURPOSE).derive(own.exchange(other))
