"""Keys of cosign and PEM keys, by the packages cryptography and PyNaCl (the extra ``sign``).

ECDSA and RSA (PKCS #1, version 1.5) sign a sha256, Ed25519 signs the bytes, as cosign's keys do by
default (sigstore, pkg/signature).
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from img.adapters.signing_keys import encrypted_key
from img.application.ports.signing_keys import (
    BadKey,
    KeyPair,
    Password,
    Signer,
    SigningKeys,
    Verifier,
)
from img.domain.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    _Public = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey
    _Private = EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey

_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_RSA_BITS = range(2048, 16385)  # sigstore, goodkey: smaller ones are no protection


class MissingPackages(UsageError):
    """The packages of the extra are not installed."""

    def __init__(self, error: ImportError) -> None:
        super().__init__(
            f"signatures need more packages ({error})", hint="pip install 'img-builder[sign]'"
        )


@contextmanager
def _packages() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingPackages(error) from None


class PublicKey(Verifier):
    """A public key of one of the three kinds."""

    def __init__(self, key: "_Public") -> None:
        self._key = key

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            if isinstance(self._key, EllipticCurvePublicKey):
                self._key.verify(signature, signed, ECDSA(SHA256()))
            elif isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, signed)
            else:
                self._key.verify(signature, signed, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True

    @property
    def fingerprint(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        der = self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(der).digest()


class PrivateKey(PublicKey, Signer):
    """A private key of one of the three kinds."""

    def __init__(self, key: "_Private") -> None:
        super().__init__(key.public_key())
        self._private = key

    def sign(self, content: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        if isinstance(self._private, EllipticCurvePrivateKey):
            return self._private.sign(content, ECDSA(SHA256()))
        if isinstance(self._private, Ed25519PrivateKey):
            return self._private.sign(content)
        return self._private.sign(content, PKCS1v15(), SHA256())


class CosignKeys(SigningKeys):
    """The key files that cosign reads and writes."""

    def signer(self, key: bytes, password: Password) -> Signer:
        with _packages():
            from cryptography.exceptions import UnsupportedAlgorithm
            from cryptography.hazmat.primitives.serialization import (
                load_der_private_key,
                load_pem_private_key,
            )

            try:
                if encrypted_key.is_encrypted(key):
                    private = load_der_private_key(encrypted_key.decrypted(key, password()), None)
                elif b"ENCRYPTED" in key:
                    private = load_pem_private_key(key, password())
                else:
                    private = load_pem_private_key(key, None)
            except (ValueError, TypeError, UnsupportedAlgorithm) as error:
                raise BadKey(
                    f"no private key that img can use: {error}",
                    hint="`img generate-key-pair` makes one",
                ) from None
            _check(private.public_key())
            return PrivateKey(private)  # type: ignore[arg-type]  # checked

    def verifier(self, key: bytes) -> Verifier:
        if b"PRIVATE KEY" in key:
            raise BadKey("this is a private key", hint="use the public one, cosign.pub")
        with _packages():
            from cryptography.exceptions import UnsupportedAlgorithm
            from cryptography.hazmat.primitives.serialization import load_pem_public_key
            from cryptography.x509 import load_pem_x509_certificate

            try:
                if b"BEGIN CERTIFICATE" in key:
                    public = load_pem_x509_certificate(key).public_key()
                else:
                    public = load_pem_public_key(key)  # type: ignore[assignment]
            except (ValueError, TypeError, UnsupportedAlgorithm) as error:
                raise BadKey(f"no public key: {error}", hint="it is in cosign.pub") from None
            _check(public)
            return PublicKey(public)  # type: ignore[arg-type]  # checked

    def generate(self, password: bytes) -> KeyPair:
        with _packages():
            from cryptography.hazmat.primitives.asymmetric import ec
            from cryptography.hazmat.primitives.serialization import (
                Encoding,
                NoEncryption,
                PrivateFormat,
                PublicFormat,
            )

            key = ec.generate_private_key(ec.SECP256R1())
            der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            return KeyPair(encrypted_key.encrypted(der, password), public)


def _check(public: object) -> None:
    """Raise BadKey for a key of another kind, or one that is too weak."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    match public:
        case EllipticCurvePublicKey() if public.curve.name in _CURVES:
            return
        case RSAPublicKey() if public.key_size in _RSA_BITS:
            return
        case Ed25519PublicKey():
            return
    raise BadKey(
        "a key of this kind or size is not supported",
        hint="use ECDSA (P-256, P-384, P-521), Ed25519, or RSA with 2048 bits or more",
    )
