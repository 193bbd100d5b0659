"""Identities for tests: a token is the subject and the issuer, and a bundle names both."""

import hashlib
import json
from base64 import b64encode
from typing import Any

from img.application.ports.signing_identities import (
    BadIdentity,
    BundleVerifier,
    Services,
    SigningIdentities,
)
from img.application.ports.signing_keys import BundleSigner
from img.domain.json_text import InvalidJson, parse_json
from img.domain.signing.envelope import Envelope
from img.domain.signing.identity import Identity

_MATERIAL = "verificationMaterial"


def _seal(subject: str, issuer: str, statement: bytes) -> str:
    return hashlib.sha256(json.dumps([subject, issuer, statement.hex()]).encode()).hexdigest()


class MemorySigner(BundleSigner):
    """Signs with a digest of identity and statement."""

    def __init__(self, subject: str, issuer: str) -> None:
        self._subject, self._issuer = subject, issuer

    def bundle(self, statement: bytes) -> bytes:
        seal = _seal(self._subject, self._issuer, statement)
        envelope = Envelope(payload=statement, signatures=(seal.encode(),))
        document: Any = parse_json(envelope.bundle(""))
        document[_MATERIAL] = {"subject": self._subject, "issuer": self._issuer}
        return json.dumps(document).encode()


class MemoryVerifier(BundleVerifier):
    """Compares the identity and the digest."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def problem(self, bundle: bytes, payload: bytes) -> str:
        try:
            document: Any = parse_json(bundle)
            material, envelope = document[_MATERIAL], document["dsseEnvelope"]
            subject, issuer = str(material["subject"]), str(material["issuer"])
            signature = str(envelope["signatures"][0]["sig"])
            if envelope["payload"] != b64encode(payload).decode():
                return "one is of another statement"
        except (InvalidJson, KeyError, TypeError, IndexError):
            return "one has no certificate"
        seal = _seal(subject, issuer, payload)
        if signature != b64encode(seal.encode()).decode():
            return "one was changed"
        return self._identity.problem([subject], issuer)


class MemorySigningIdentities(SigningIdentities):
    """Tokens as text: ``SUBJECT ISSUER``."""

    def __init__(self, ambient: str = "") -> None:
        self._ambient = ambient

    def token(self) -> str:
        return self._ambient

    def signer(self, token: str, services: Services) -> BundleSigner:
        subject, _, issuer = token.partition(" ")
        if not issuer:
            raise BadIdentity("no identity token")
        return MemorySigner(subject, issuer)

    def verifier(self, identity: Identity, services: Services) -> BundleVerifier:
        if services.trusted_root == b"broken":
            raise BadIdentity("no trusted root")
        return MemoryVerifier(identity)
