"""CA certificates as files of the programs that read them."""

import binascii
import hashlib
import re
import struct
from collections.abc import Iterable

from img.domain.dataclass import dataclass

JAVA_PASSWORD = "changeit"  # the usual one: a trust store holds no secrets

_PEM = re.compile(
    rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----"
)
_SEQUENCE = 0x30  # the first byte of a certificate (X.690, 8.9)
_LINE = 48  # bytes, which are 64 characters
# OpenJDK, sun/security/provider/JavaKeyStore.java
_MAGIC, _VERSION, _TRUSTED = 0xFEEDFEED, 2, 2
_SALT = b"Mighty Aphrodite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """CA certificates in their order, each once."""

    encoded: tuple[bytes, ...] = ()  # in DER

    @classmethod
    def of(cls, texts: Iterable[bytes]) -> "Certificates":
        """Return the certificates in PEM files; other text in the files is skipped."""
        found = (_decoded(body) for text in texts for body in _PEM.findall(text))
        return cls(encoded=tuple(dict.fromkeys(each for each in found if each)))

    def pem(self) -> bytes:
        """Return a file for OpenSSL and most other libraries (RFC 7468)."""
        return b"".join(map(_as_pem, self.encoded))

    def java_trust_store(self) -> bytes:
        """Return a trust store in the format JKS, which every JDK reads."""
        entries = b"".join(map(_java_entry, range(len(self.encoded)), self.encoded))
        store = struct.pack(">III", _MAGIC, _VERSION, len(self.encoded)) + entries
        password = JAVA_PASSWORD.encode("utf-16-be")
        # No protection: the format demands this digest.
        return store + hashlib.sha1(password + _SALT + store, usedforsecurity=False).digest()


def _decoded(body: bytes) -> bytes:
    """Return the certificate in the body of a PEM block, empty if it holds none."""
    try:
        encoded = binascii.a2b_base64(b"".join(body.split()), strict_mode=True)
    except binascii.Error:
        return b""
    return encoded if encoded[:1] == bytes([_SEQUENCE]) else b""


def _as_pem(encoded: bytes) -> bytes:
    lines = (binascii.b2a_base64(encoded[at : at + _LINE]) for at in range(0, len(encoded), _LINE))
    return b"".join((b"-----BEGIN CERTIFICATE-----\n", *lines, b"-----END CERTIFICATE-----\n"))


def _java_entry(number: int, encoded: bytes) -> bytes:
    head = struct.pack(">I", _TRUSTED) + _java_text(f"host-{number}") + struct.pack(">q", 0)
    return head + _java_text("X.509") + struct.pack(">I", len(encoded)) + encoded


def _java_text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode("ascii")
