"""Identities in certificates of Fulcio (sigstore/fulcio, docs/oid-info.md)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_ISSUER_1 = "1.3.6.1.4.1.57264.1.1"  # plain text
_ISSUER = "1.3.6.1.4.1.57264.1.8"  # a UTF8String
_OTHER_NAME = "1.3.6.1.4.1.57264.1.7"
_UTF8_STRING = 0x0C


def subjects_of(certificate: "Certificate") -> list[str]:
    """Return the identities of the signer: email addresses, URIs, and names of other kinds.

    Raises the errors of the package cryptography, and ValueError.
    """
    from cryptography.x509 import (
        OtherName,
        RFC822Name,
        SubjectAlternativeName,
        UniformResourceIdentifier,
    )

    names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    others = names.get_values_for_type(OtherName)
    return [
        *names.get_values_for_type(RFC822Name),
        *names.get_values_for_type(UniformResourceIdentifier),
        *(_utf8(each.value) for each in others if each.type_id.dotted_string == _OTHER_NAME),
    ]


def issuer_of(certificate: "Certificate") -> str:
    """Return the URL of the identity provider, "" without one.

    Raises the errors of the package cryptography, and ValueError.
    """
    from cryptography.x509 import UnrecognizedExtension

    found = {
        each.oid.dotted_string: each.value.value
        for each in certificate.extensions
        if isinstance(each.value, UnrecognizedExtension)
    }
    if _ISSUER in found:
        return _utf8(found[_ISSUER])
    return found.get(_ISSUER_1, b"").decode()


def _utf8(der: bytes) -> str:
    """Return a UTF8String in DER (X.690, 8.1.3 and 8.23). Raises ValueError."""
    if len(der) < 2 or der[0] != _UTF8_STRING:
        raise ValueError("a name in the certificate is no UTF8String")
    length, start = der[1], 2
    if length >= 0x80:
        start = 2 + length - 0x80
        length = int.from_bytes(der[2:start])
    if len(der) != start + length:
        raise ValueError("a name in the certificate has a wrong length")
    return der[start:].decode()
