"""Private keys under a password, as cosign and skopeo keep them.

The text in the PEM block is JSON: parameters of scrypt, and a box of NaCl (XSalsa20 and Poly1305)
with the key as PKCS #8 (go-securesystemslib, encrypted/encrypted.go).
"""

import binascii
import hashlib
import os
import re
from base64 import b64decode, b64encode
from textwrap import wrap

from img.application.ports.signing_keys import BadKey
from img.domain.oci.fields import Fields, InvalidDocument, compact

_KINDS = rb"ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY"
_BLOCK = re.compile(rb"-----BEGIN (" + _KINDS + rb")-----\r?\n([A-Za-z0-9+/=\s]+)-----END \1-----")
_NAME = "ENCRYPTED SIGSTORE PRIVATE KEY"
_LINE = 64  # characters, as Go's encoding/pem
_N, _R, _P = 65536, 8, 1  # of new keys: go-securesystemslib's since 2022
# Of keys that are read: their scrypt takes less than 256 MiB and a few seconds.
_MOST_N, _MOST_R, _MOST_P = 1 << 18, 8, 8
_SALT, _NONCE, _KEY = 32, 24, 32  # bytes


def is_encrypted(key: bytes) -> bool:
    """Return whether ``key`` is a private key under a password, in this form."""
    return re.search(rb"-----BEGIN " + _KINDS, key) is not None


def decrypted(key: bytes, password: bytes) -> bytes:
    """Return the key as DER. Raises BadKey."""
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    block = _BLOCK.search(key)
    if block is None:
        raise BadKey("the private key is cut off or changed")
    try:
        fields = Fields.parse(b64decode(block[2]), "encrypted private key")
        kdf, cipher = fields.required_nested("kdf"), fields.required_nested("cipher")
        _expect(kdf, "scrypt")
        _expect(cipher, "nacl/secretbox")
        stretched = _stretched(kdf, password)
        nonce = b64decode(cipher.required_text("nonce"), validate=True)
        box = b64decode(fields.required_text("ciphertext"), validate=True)
        return SecretBox(stretched).decrypt(box, nonce)
    except InvalidDocument as error:
        raise BadKey(error.message) from None
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadKey(f"the private key is broken: {error}") from None
    except CryptoError:
        raise BadKey(
            "the password is wrong, or the private key was changed",
            hint="COSIGN_PASSWORD has the password, else it is asked for",
        ) from None


def encrypted(der: bytes, password: bytes) -> bytes:
    """Return a key as PEM, under ``password``."""
    from nacl.secret import SecretBox

    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    stretched = _scrypt(password, salt, _N, _R, _P)
    box = SecretBox(stretched).encrypt(der, nonce).ciphertext
    document = {
        "kdf": {
            "name": "scrypt",
            "params": {"N": _N, "r": _R, "p": _P},
            "salt": b64encode(salt).decode(),
        },
        "cipher": {"name": "nacl/secretbox", "nonce": b64encode(nonce).decode()},
        "ciphertext": b64encode(box).decode(),
    }
    lines = wrap(b64encode(compact(document)).decode(), _LINE)
    return "\n".join([f"-----BEGIN {_NAME}-----", *lines, f"-----END {_NAME}-----", ""]).encode()


def _expect(fields: Fields, name: str) -> None:
    if (found := fields.required_text("name")) != name:
        fields.refuse("name", f'must be "{name}", not "{found[:40]}"')


def _stretched(kdf: Fields, password: bytes) -> bytes:
    parameters = kdf.required_nested("params")
    n, r, p = (parameters.number(name) for name in ("N", "r", "p"))
    if not (1 < n <= _MOST_N and n & (n - 1) == 0 and 0 < r <= _MOST_R and 0 < p <= _MOST_P):
        kdf.refuse("params", f"N={n}, r={r}, p={p} are out of range")
    salt = b64decode(kdf.required_text("salt"), validate=True)
    return _scrypt(password, salt, n, r, p)


def _scrypt(password: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    most = 128 * r * (n + p + 2) + (1 << 20)  # RFC 7914, section 2: what it needs
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=most, dklen=_KEY)
