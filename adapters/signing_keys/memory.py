"""Keys for tests: a signature is a keyed digest, which needs no package."""

import hashlib
import hmac
import os

from img.application.ports.signing_keys import (
    BadKey,
    KeyPair,
    Password,
    Signer,
    SigningKeys,
    Verifier,
)


class MemoryKey(Signer):
    """A secret that signs and verifies."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, content, "sha256")

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self.sign(signed), signature)

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(self._secret).digest()


class MemorySigningKeys(SigningKeys):
    """Keys as text: ``private PASSWORD SECRET`` and ``public SECRET``."""

    def signer(self, key: bytes, password: Password) -> Signer:
        kind, _, rest = key.partition(b" ")
        given, _, secret = rest.partition(b" ")
        if kind != b"private" or not secret or given != password().hex().encode():
            raise BadKey("no private key, or a wrong password")
        return MemoryKey(secret)

    def verifier(self, key: bytes) -> Verifier:
        kind, _, secret = key.partition(b" ")
        if kind != b"public" or not secret:
            raise BadKey("no public key")
        return MemoryKey(secret)

    def generate(self, password: bytes) -> KeyPair:
        secret = os.urandom(16).hex().encode()
        return KeyPair(b"private %s %s" % (password.hex().encode(), secret), b"public " + secret)
