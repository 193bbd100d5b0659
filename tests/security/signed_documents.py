"""Readers of signatures and of source policies, and valid documents for them."""

import json
from collections.abc import Callable

from img.adapters.signing_keys import encrypted_key
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.policy.source_policy import Source, SourcePolicy, evaluated
from img.domain.signing import claim, envelope
from img.domain.signing.candidate import Asked, Candidate
from img.domain.signing.claim import Claim
from img.domain.signing.envelope import Envelope
from img.domain.signing.places import SIGNATURE
from img.domain.signing.statement import Statement, about, signature_statement
from tests.security.hostile_documents import Json

_DIGEST = Digest.of(b"image")
_ASKED = Asked(digest=_DIGEST, annotations={"a": "b"})
_CLAIM = Claim(digest=_DIGEST, repository="r.example/a", annotations={"a": "b"}).encode()
_STATEMENT = signature_statement(_DIGEST, {"a": "b"})
_ENVELOPE = Envelope(payload=_STATEMENT, signatures=(b"1", b"2"))
_KEY = {
    "kdf": {"name": "scrypt", "params": {"N": 2, "r": 8, "p": 1}, "salt": "c2FsdA=="},
    "cipher": {"name": "nacl/secretbox", "nonce": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    "ciphertext": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
}
_POLICY = {
    "version": 1,
    "rules": [
        {
            "action": "CONVERT",
            "selector": {
                "identifier": "docker-image://(.*)",
                "match_type": "REGEX",
                "constraints": [{"key": "a", "value": "b", "condition": "MATCHES"}],
            },
            "updates": {"identifier": "docker-image://x/$1", "attrs": {"a": "c"}},
        },
        {"action": "DENY", "selector": {"identifier": "docker-image://*"}},
    ],
}


def _candidate(media_type: str) -> Callable[[bytes], object]:
    """Return a reader that checks ``content`` as a signature which the key accepts."""

    def read(content: bytes) -> object:
        layer = Descriptor(
            media_type=media_type,
            digest=_DIGEST,
            size=len(content),
            annotations={SIGNATURE: "c2ln"},
        )
        return Candidate.of_layer(layer, content).problem(_ASKED, lambda _candidate: "")

    return read


def _decrypted(content: bytes) -> bytes:
    from base64 import b64encode

    lines = b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n%s\n-----END %s-----\n"
    return encrypted_key.decrypted(
        lines % (b64encode(content), b"ENCRYPTED SIGSTORE PRIVATE KEY"), b"password"
    )


def _evaluated(content: bytes) -> Source:
    policy = SourcePolicy.parse(content, "policy.json")
    return evaluated((policy,), Source("docker-image://docker.io/library/a:b", {"a": "b"}))


SIGNED_DOCUMENTS: dict[str, tuple[Json, Callable[[bytes], object]]] = {
    "claim": (json.loads(_CLAIM), lambda content: Claim.decode(content).encode()),
    "signed claim": (json.loads(_CLAIM), _candidate(claim.MEDIA_TYPE)),
    "statement": (json.loads(_STATEMENT), Statement.decode),
    "statement with a subject": (
        json.loads(_STATEMENT),
        lambda content: about(content, "a", _DIGEST),
    ),
    "envelope": (json.loads(_ENVELOPE.encode()), _candidate(envelope.MEDIA_TYPE)),
    "bundle": (json.loads(_ENVELOPE.bundle("hint")), _candidate(envelope.BUNDLE)),
    "encrypted key": (_KEY, _decrypted),
    "source policy": (_POLICY, _evaluated),
}
"""Readers by name, each with a document that it accepts."""
