"""RSA decryption (RFC 8017, RSAES-PKCS1-v1_5) for ``rsadecrypt``."""

import base64
import binascii
import re

from img.domain.bake.functions.signature import function
from img.domain.bake.language.scope import FunctionFault
from img.domain.bake.values.value import Value, string

_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----\s+([A-Za-z0-9+/=\s]+)-----END \1-----")
_MOST_BITS = 16_384
_NO_KEY = "failed to parse key: no private key found"


def _rsadecrypt(ciphertext: Value, key: Value) -> Value:
    try:
        data = base64.b64decode(ciphertext.text, validate=True)
    except (binascii.Error, ValueError):
        raise FunctionFault(
            f'failed to decode input "{ciphertext.text}": cipher text must be base64-encoded'
        ) from None
    modulus, exponent = _private_key(key.text)
    size = (modulus.bit_length() + 7) // 8
    if len(data) != size:
        raise FunctionFault("crypto/rsa: decryption error")
    plain = pow(int.from_bytes(data, "big"), exponent, modulus).to_bytes(size, "big")
    end = plain.find(b"\0", 2)
    if not plain.startswith(b"\0\2") or end < 10:
        raise FunctionFault("crypto/rsa: decryption error")
    return string(plain[end + 1 :].decode("utf-8", "replace"))


def _private_key(text: str) -> tuple[int, int]:
    """Return the modulus and the private exponent of a PEM key. Raises FunctionFault."""
    found = _PEM.search(text)
    if not found or found[1] not in ("RSA PRIVATE KEY", "PRIVATE KEY"):
        raise FunctionFault(_NO_KEY)
    try:
        parts = _sequence(base64.b64decode("".join(found[2].split())))
        if found[1] == "PRIVATE KEY":
            parts = _sequence(parts[2])
        modulus, exponent = (int.from_bytes(parts[at], "big") for at in (1, 3))
    except (ValueError, IndexError, binascii.Error):
        raise FunctionFault(_NO_KEY) from None
    if not 0 < modulus.bit_length() <= _MOST_BITS or exponent.bit_length() > _MOST_BITS:
        raise FunctionFault(_NO_KEY)
    return modulus, exponent


def _sequence(der: bytes) -> list[bytes]:
    """Return the contents of the elements of a DER sequence. Raises ValueError, IndexError."""
    if not der or der[0] != 0x30:
        raise ValueError("no sequence")
    inside, _ = _content(der, 0)
    parts, at = [], 0
    while at < len(inside):
        part, at = _content(inside, at)
        parts.append(part)
    return parts


def _content(der: bytes, at: int) -> tuple[bytes, int]:
    length, start = der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[start : start + count], "big")
        start += count
    if start + length > len(der):
        raise ValueError("cut off")
    return der[start : start + length], start + length


RSA = {"rsadecrypt": function("ciphertext:s privatekey:s", _rsadecrypt)}
