"""Small services of Sigstore on loopback: a certificate authority and a transparency log.

Fulcio certifies any token (its API of version 2), with a certificate timestamp by a key of its own
(RFC 6962, 3.2). Rekor (its API of version 1) puts each envelope into a Merkle tree (RFC 6962, 2.1),
proves that, and signs the tree. Tests make the trusted root out of their public keys.
"""

import base64
import hashlib
import json
import struct
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_PRECERTIFICATE = 1
_START = "2020-01-01T00:00:00Z"


class SigstoreServices:
    """``with SigstoreServices() as services: services.trusted_root``.

    A certificate is valid for ten minutes, and the clock of the log is fast by ``late`` seconds.
    """

    def __init__(self, late: int = 0) -> None:
        self.late = late
        self.leaves = [b"entry %d" % number for number in range(5)]
        self._authority_key, self._ct_key, self._log_key = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(3)
        )
        self._authority = _authority(self._authority_key)
        self._fulcio = ScriptedServer(self._certify)
        self._rekor = ScriptedServer(self._enter)
        self.fulcio = f"http://{self._fulcio.address}"
        self.rekor = f"http://{self._rekor.address}"

    def __enter__(self) -> Self:
        self._fulcio.__enter__()
        self._rekor.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._fulcio.__exit__(kind, error, trace)
        self._rekor.__exit__(kind, error, trace)

    @property
    def tokens(self) -> list[str]:
        """The tokens that Fulcio got."""
        return [str(each.headers["Authorization"]) for each in self._fulcio.requests]

    @property
    def trusted_root(self) -> dict[str, Any]:
        """The trusted root (protobuf-specs, sigstore_trustroot.proto)."""
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [_log(self.rekor, self._log_key)],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "test", "commonName": "fulcio"},
                    "uri": self.fulcio,
                    "certChain": {
                        "certificates": [
                            {"rawBytes": _base64(self._authority.public_bytes(Encoding.DER))}
                        ]
                    },
                    "validFor": {"start": _START},
                }
            ],
            "ctlogs": [_log(self.fulcio, self._ct_key)],
        }

    @property
    def signing_config(self) -> dict[str, Any]:
        """The signing configuration (the same file)."""

        def service(url: str) -> dict[str, Any]:
            start = {"start": _START}
            return {"url": url, "majorApiVersion": 1, "operator": "test", "validFor": start}

        return {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [service(self.fulcio)],
            "rekorTlogUrls": [service(self.rekor)],
            "rekorTlogConfig": {"selector": "ANY"},
        }

    def _certify(self, request: Request) -> Answer:
        assert request.path == "/api/v2/signingCert"
        claims = _claims(request.headers["Authorization"].removeprefix("Bearer "))
        if claims["iss"] == "https://unknown.example":
            return Answer(status=400, body=b'{"code":3,"message":"unknown issuer"}')
        text = base64.b64decode(json.loads(request.body)["certificateSigningRequest"])
        asked = x509.load_pem_x509_csr(text)
        assert asked.is_signature_valid
        made = self._certificate(asked.public_key(), claims)
        chain = [each.public_bytes(Encoding.PEM).decode() for each in (made, self._authority)]
        answer = {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}
        return Answer(status=201, body=json.dumps(answer).encode())

    def _certificate(self, key: Any, claims: Mapping[str, str]) -> x509.Certificate:
        start = datetime.now(UTC).replace(microsecond=0)
        issuer = claims["iss"].encode()
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(claims["sub"])]
        if "email" in claims:
            names = [x509.RFC822Name(claims["email"])]
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._authority.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(minutes=10))
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self._authority_key.public_key()
                ),
                critical=False,
            )
            .add_extension(
                x509.UnrecognizedExtension(_ISSUER, b"\x0c%c" % len(issuer) + issuer),
                critical=False,
            )
        )
        before = made.sign(self._authority_key, hashes.SHA256()).tbs_certificate_bytes
        timestamps = x509.UnrecognizedExtension(_SCTS, self._timestamps(before))
        return made.add_extension(timestamps, critical=False).sign(
            self._authority_key, hashes.SHA256()
        )

    def _timestamps(self, certificate: bytes) -> bytes:
        """Return the list with a timestamp of a certificate that has none yet, in DER."""
        now = int(time.time() * 1000)
        issuer = hashlib.sha256(_public(self._authority_key)).digest()
        length = struct.pack(">I", len(certificate))[1:]
        entry = issuer + length + certificate
        signed = struct.pack(">BBQH", 0, 0, now, _PRECERTIFICATE) + entry + b"\0\0"
        signature = self._ct_key.sign(signed, ec.ECDSA(hashes.SHA256()))
        log = hashlib.sha256(_public(self._ct_key)).digest()
        made = b"\0" + log + struct.pack(">QH", now, 0) + b"\x04\x03"
        made += struct.pack(">H", len(signature)) + signature
        made = struct.pack(">HH", len(made) + 2, len(made)) + made
        assert len(made) < 256
        return b"\x04" + (b"\x81" if len(made) > 127 else b"") + bytes([len(made)]) + made

    def _enter(self, request: Request) -> Answer:
        assert request.path == "/api/v1/log/entries"
        content = json.loads(request.body)["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        (verifier,), (signature,) = content["verifiers"], envelope["signatures"]
        spec = {
            "envelopeHash": _hash(content["envelope"].encode()),
            "payloadHash": _hash(base64.b64decode(envelope["payload"])),
            "signatures": [{"signature": signature["sig"], "verifier": verifier}],
        }
        body = _canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        self.leaves.append(body)
        return Answer(status=201, body=json.dumps({"0" * 64: self._entry(body)}).encode())

    def _entry(self, body: bytes) -> dict[str, Any]:
        log = hashlib.sha256(_public(self._log_key)).digest()
        made: dict[str, Any] = {
            "body": _base64(body),
            "integratedTime": int(time.time()) + self.late,
            "logID": log.hex(),
            "logIndex": len(self.leaves) - 1,
        }
        promise = self._log_key.sign(_canonical(made), ec.ECDSA(hashes.SHA256()))
        root = _tree(self.leaves)
        note = f"rekor.test\n{len(self.leaves)}\n{_base64(root)}\n"
        signature = self._log_key.sign(note.encode(), ec.ECDSA(hashes.SHA256()))
        made["verification"] = {
            "signedEntryTimestamp": _base64(promise),
            "inclusionProof": {
                "checkpoint": f"{note}\n— rekor.test {_base64(log[:4] + signature)}\n",
                "hashes": [each.hex() for each in _path(len(self.leaves) - 1, self.leaves)],
                "logIndex": len(self.leaves) - 1,
                "rootHash": root.hex(),
                "treeSize": len(self.leaves),
            },
        }
        return made


def token(subject: str, issuer: str, audience: str = "sigstore", email: str = "") -> str:
    """Return an identity token; the authority of this module does not look at its signature."""
    now = int(time.time())
    claims = {"iss": issuer, "sub": subject, "aud": audience, "iat": now, "exp": now + 300}
    if email:
        claims["email"] = email
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in parts]
    return b".".join([*encoded, b"c2lnbmF0dXJl"]).decode()


def _claims(text: str) -> dict[str, str]:
    payload = text.split(".")[1]
    claims: dict[str, str] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return claims


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fulcio")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    """Return the usage of a key that signs contents, or of one that signs certificates."""
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _log(url: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    public = _public(key)
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": _base64(public),
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            "validFor": {"start": _START},
        },
        "logId": {"keyId": _base64(hashlib.sha256(public).digest())},
    }


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _hash(content: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}


def _canonical(value: Any) -> bytes:
    """Return JSON text (RFC 8785; the values here have neither fractions nor other alphabets)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(count: int) -> int:
    """Return the largest power of two that is smaller than ``count``."""
    return 1 << (count - 1).bit_length() - 1


def _tree(leaves: list[bytes]) -> bytes:
    """Return the hash of the tree (RFC 6962, 2.1)."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    at = _split(len(leaves))
    return _node(_tree(leaves[:at]), _tree(leaves[at:]))


def _path(index: int, leaves: list[bytes]) -> list[bytes]:
    """Return the audit path of a leaf (RFC 6962, 2.1.1)."""
    if len(leaves) == 1:
        return []
    at = _split(len(leaves))
    if index < at:
        return [*_path(index, leaves[:at]), _tree(leaves[at:])]
    return [*_path(index - at, leaves[at:]), _tree(leaves[:at])]
