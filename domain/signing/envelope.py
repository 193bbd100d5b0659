"""Envelopes of signed statements (DSSE, envelope.md and protocol.md), and Sigstore bundles."""

import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64

from img.domain.dataclass import dataclass
from img.domain.oci.fields import Fields, compact
from img.domain.signing import statement

MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_BUNDLES = r"application/vnd\.dev\.sigstore\.bundle(?:\.v0\.\d+)?\+json(?:;version=0\.\d+)?"
_MOST_SIGNATURES = 16
_LONGEST_SIGNATURE = 4096  # bytes; one by RSA with 16,384 bits has 2,048


def is_bundle(media_type: str) -> bool:
    """Return whether ``media_type`` is that of a Sigstore bundle, of any version."""
    return re.fullmatch(_BUNDLES, media_type) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload and its signatures, which are over type and payload."""

    payload: bytes
    signatures: tuple[bytes, ...]
    payload_type: str = statement.MEDIA_TYPE

    @property
    def signed(self) -> bytes:
        """The bytes that are signed (DSSE, protocol.md, "PAE")."""
        return pre_authentication(self.payload_type, self.payload)

    def encode(self) -> bytes:
        """Return the JSON text of the envelope, with keys in the order of cosign."""
        signatures = [{"keyid": "", "sig": _text(each)} for each in self.signatures]
        return compact(
            {
                "payloadType": self.payload_type,
                "payload": _text(self.payload),
                "signatures": signatures,
            }
        )

    @classmethod
    def decode(cls, content: bytes) -> "Envelope":
        """Return the envelope in ``content``. Raises InvalidDocument."""
        return cls._of(Fields.parse(content, "signed envelope"))

    @classmethod
    def of_bundle(cls, content: bytes) -> "Envelope":
        """Return the envelope of a Sigstore bundle. Raises InvalidDocument.

        Its certificate and its entries of logs are not read: a key decides.
        """
        fields = Fields.parse(content, "Sigstore bundle")
        if not is_bundle(kind := fields.required_text("mediaType")):
            fields.refuse("mediaType", f'"{kind[:80]}" is unknown')
        return cls._of(fields.required_nested("dsseEnvelope"))

    def bundle(self, hint: str) -> bytes:
        """Return the Sigstore bundle of the envelope; ``hint`` is the digest of the public key."""
        envelope = {
            "payload": _text(self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"sig": _text(each)} for each in self.signatures],
        }
        return compact(
            {
                "mediaType": BUNDLE,
                "verificationMaterial": {"publicKey": {"hint": hint}},
                "dsseEnvelope": envelope,
            }
        )

    @classmethod
    def _of(cls, fields: Fields) -> "Envelope":
        payload = _bytes(fields, "payload")
        found = fields.nested_list("signatures")
        if not 0 < len(found) <= _MOST_SIGNATURES:
            fields.refuse("signatures", f"must be 1 to {_MOST_SIGNATURES}, not {len(found)}")
        kind = fields.required_text("payloadType")
        if kind != statement.MEDIA_TYPE:  # a document of another kind says something else
            fields.refuse("payloadType", f'must be "{statement.MEDIA_TYPE}", not "{kind[:80]}"')
        return cls(
            payload=payload,
            payload_type=kind,
            signatures=tuple(_bytes(each, "sig", _LONGEST_SIGNATURE) for each in found),
        )


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """Return the encoding that is signed in place of a payload (DSSE, protocol.md, "PAE")."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def signature_in(text: str) -> bytes | None:
    """Return a signature in base64, None if it is none or too long."""
    try:
        signature = _decoded(text)
    except (BadBase64, ValueError):
        return None
    return signature if 0 < len(signature) <= _LONGEST_SIGNATURE else None


def _decoded(text: str) -> bytes:
    """Return the bytes of base64 in its one canonical spelling. Raises ValueError."""
    content = b64decode(text.encode("ascii"), validate=True)
    if _text(content) != text:  # the last digit may have unused bits
        raise ValueError("not canonical")
    return content


def _bytes(fields: Fields, name: str, most: int | None = None) -> bytes:
    text = fields.required_text(name)
    try:
        # DSSE: "either standard or URL-safe".
        content = _decoded(text.translate(str.maketrans("-_", "+/")))
    except (BadBase64, ValueError):
        fields.refuse(name, "must be base64")
    if most is not None and len(content) > most:
        fields.refuse(name, f"must not be longer than {most} bytes")
    return content


def _text(content: bytes) -> str:
    return b64encode(content).decode()
