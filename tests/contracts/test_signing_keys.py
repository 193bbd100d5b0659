"""Contract tests of signing keys; openssl checks what the real ones sign."""

import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from img.adapters.signing_keys.cosign import CosignKeys
from img.adapters.signing_keys.memory import MemorySigningKeys
from img.application.ports.signing_keys import BadKey, KeyPair, SigningKeys
from img.domain.errors import UsageError
from tests.support.host.machine import program

_PASSWORD = b"p\xc3\xa4ss"


def _password() -> bytes:
    return _PASSWORD


def _unasked() -> bytes:
    raise AssertionError("the key has no password")


@cache
def _cosign_pair() -> KeyPair:
    return CosignKeys().generate(_PASSWORD)


@pytest.fixture(params=[CosignKeys, MemorySigningKeys])
def keys(request: pytest.FixtureRequest) -> SigningKeys:
    made: SigningKeys = request.param()
    return made


def test_a_new_key_verifies_what_it_signs_and_nothing_else(keys: SigningKeys) -> None:
    pair, other = keys.generate(_PASSWORD), keys.generate(_PASSWORD)
    signer, verifier = keys.signer(pair.private, _password), keys.verifier(pair.public)

    signature = signer.sign(b"content")

    assert verifier.verifies(b"content", signature)
    assert signer.verifies(b"content", signature)
    assert signer.fingerprint == verifier.fingerprint
    assert not verifier.verifies(b"contenT", signature)
    assert not keys.verifier(other.public).verifies(b"content", signature)
    for wrong in (b"", b"no signature", signature[:-1], signature + b"\0", signature * 100):
        assert not verifier.verifies(b"content", wrong)


def test_each_changed_bit_of_a_signature_is_noticed(keys: SigningKeys) -> None:
    pair = keys.generate(b"")
    verifier = keys.verifier(pair.public)
    signature = keys.signer(pair.private, lambda: b"").sign(b"content")

    changed = [
        signature[:at] + bytes([signature[at] ^ 1 << bit]) + signature[at + 1 :]
        for at in range(len(signature))
        for bit in range(8)
    ]

    assert not any(verifier.verifies(b"content", each) for each in changed)


def test_wrong_passwords_and_other_files_are_refused(keys: SigningKeys) -> None:
    pair = keys.generate(_PASSWORD)

    with pytest.raises(BadKey, match="password"):
        keys.signer(pair.private, lambda: b"other")
    for wrong in (b"", b"text", pair.public):
        with pytest.raises(BadKey):
            keys.signer(wrong, _password)
    for wrong in (b"", b"text", pair.private):
        with pytest.raises(BadKey):
            keys.verifier(wrong)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"N":65536', b'"N":1073741824', "out of range"),
        (b'"N":65536', b'"N":3', "out of range"),
        (b'"r":8', b'"r":0', "out of range"),
        (b'"scrypt"', b'"argon2"', 'must be "scrypt"'),
        (b'"nacl/secretbox"', b'"none"', 'must be "nacl/secretbox"'),
        (b'"salt":"', b'"salt":"?', "broken"),
        (b'"nonce":"', b'"nonce":"AAAA', "broken"),
        (b'"ciphertext":"', b'"ciphertext":"AAAA', "password is wrong"),
        (b'{"kdf"', b'{"kdf":1,"kdf"', "twice"),
        (b"}", b"", "no JSON"),
    ],
)
def test_changed_key_files_are_refused(old: bytes, new: bytes, says: str) -> None:
    lines = _cosign_pair().private.splitlines()
    text = b64decode(b"".join(lines[1:-1]))
    assert old in text
    changed = b64encode(text.replace(old, new, 1))

    with pytest.raises(BadKey, match=says):
        CosignKeys().signer(b"\n".join([lines[0], changed, lines[-1]]), _password)


@pytest.mark.parametrize("package", ["cryptography.exceptions", "nacl.secret"])
def test_missing_packages_are_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = _cosign_pair()
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(UsageError, match="signatures need more packages") as refused:
        CosignKeys().signer(pair.private, _password)
    assert refused.value.hint == "pip install 'img-builder[sign]'"


def test_a_key_file_that_was_cut_off_is_refused() -> None:
    private = _cosign_pair().private

    with pytest.raises(BadKey, match="cut off"):
        CosignKeys().signer(private[:200], _password)


def _weak_rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


def _private_keys() -> list[ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]:
    return [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 2048),
    ]


def test_openssl_verifies_signatures_of_plain_and_encrypted_keys(tmp_path: Path) -> None:
    openssl = program("openssl")
    keys = CosignKeys()
    for private in _private_keys():
        encryption = BestAvailableEncryption(_PASSWORD)
        plain = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        closed = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / "public").write_bytes(public)
        (tmp_path / "content").write_bytes(b"content")
        for signer in (keys.signer(plain, _unasked), keys.signer(closed, _password)):
            (tmp_path / "signature").write_bytes(signer.sign(b"content"))
            words = ["-verify", "public", "-signature", "signature", "content"]
            subprocess.run([openssl, "dgst", "-sha256", *words], cwd=tmp_path, check=True)


def test_openssl_reads_the_public_key_of_a_new_pair(tmp_path: Path) -> None:
    pair = _cosign_pair()
    signer = CosignKeys().signer(pair.private, _password)
    (tmp_path / "cosign.pub").write_bytes(pair.public)
    (tmp_path / "content").write_bytes(b"content")
    (tmp_path / "signature").write_bytes(signer.sign(b"content"))

    words = ["-verify", "cosign.pub", "-signature", "signature", "content"]
    subprocess.run([program("openssl"), "dgst", "-sha256", *words], cwd=tmp_path, check=True)


def test_keys_of_ed25519_and_certificates_are_read() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    signature = CosignKeys().signer(pem, _unasked).sign(b"content")

    assert CosignKeys().verifier(public).verifies(b"content", signature)


def _unusual() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256K1())


@pytest.mark.parametrize("made", [_unusual, _weak_rsa])
def test_weak_and_unusual_keys_are_refused(
    made: Callable[[], ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey],
) -> None:
    private = made()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    with pytest.raises(BadKey, match="not supported"):
        CosignKeys().verifier(public)
