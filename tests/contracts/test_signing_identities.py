"""Contract tests of signatures without a key; services on loopback answer the real package."""

import copy
import json
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier
from sigstore.verify.policy import AllOf, OIDCIssuerV2
from sigstore.verify.policy import Identity as SameIdentity

from img.adapters.signing_identities.memory import MemorySigningIdentities
from img.adapters.signing_identities.sigstore import SigstoreIdentities
from img.application.ports.signing_identities import (
    BadIdentity,
    Services,
    SigningIdentities,
)
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.signing.envelope import Envelope
from img.domain.signing.identity import Identity, Wanted
from img.domain.signing.statement import BadPredicate, signature_statement, statement_of
from tests.support.servers.sigstore_services import SigstoreServices, token

_SUBJECT = "https://ci.example/team/app/build.yml@main"
_ISSUER = "https://tokens.example"
_DIGEST = Digest.of(b"image")
_STATEMENT = signature_statement(_DIGEST, {"a": "b"}, "r.example/app")
_IDENTITY = Identity(subject=Wanted(text=_SUBJECT), issuer=Wanted(text=_ISSUER))


@dataclass(frozen=True, kw_only=True)
class _Kind:
    identities: SigningIdentities
    token: str
    other_token: str
    services: Services


def _services(servers: SigstoreServices, root: dict[str, Any] | None = None) -> Services:
    return Services(
        trusted_root=json.dumps(root or servers.trusted_root).encode(),
        fulcio=servers.fulcio,
        rekor=servers.rekor,
    )


@pytest.fixture(scope="module")
def servers() -> Iterator[SigstoreServices]:
    with SigstoreServices() as made:
        yield made


@pytest.fixture(params=["sigstore", "memory"])
def kind(request: pytest.FixtureRequest, servers: SigstoreServices) -> _Kind:
    other = "https://ci.example/other"
    if request.param == "sigstore":
        return _Kind(
            identities=SigstoreIdentities(),
            token=token(_SUBJECT, _ISSUER),
            other_token=token(other, _ISSUER),
            services=_services(servers),
        )
    return _Kind(
        identities=MemorySigningIdentities(),
        token=f"{_SUBJECT} {_ISSUER}",
        other_token=f"{other} {_ISSUER}",
        services=Services(),
    )


def _bundle(servers: SigstoreServices, statement: bytes = _STATEMENT) -> bytes:
    signer = SigstoreIdentities().signer(token(_SUBJECT, _ISSUER), _services(servers))
    return signer.bundle(statement)


def test_a_bundle_has_the_statement_and_is_by_the_identity_alone(kind: _Kind) -> None:
    bundle = kind.identities.signer(kind.token, kind.services).bundle(_STATEMENT)
    other = kind.identities.signer(kind.other_token, kind.services).bundle(_STATEMENT)
    verifier = kind.identities.verifier(_IDENTITY, kind.services)

    assert Envelope.of_bundle(bundle).payload == _STATEMENT
    assert verifier.problem(bundle, _STATEMENT) == ""
    assert "another statement" in verifier.problem(bundle, _STATEMENT + b" ")
    assert "https://ci.example/other" in verifier.problem(other, _STATEMENT)
    elsewhere = replace(_IDENTITY, issuer=Wanted(text="https://other.example"))
    assert _ISSUER in kind.identities.verifier(elsewhere, kind.services).problem(bundle, _STATEMENT)


@pytest.mark.parametrize("junk", [b"", b"{}", b"[]", b"\xff", b'{"mediaType":"x"}', b"[" * 9999])
def test_junk_is_no_bundle_and_raises_nothing(kind: _Kind, junk: bytes) -> None:
    assert kind.identities.verifier(_IDENTITY, kind.services).problem(junk, _STATEMENT)


def test_a_text_that_is_no_token_is_refused(kind: _Kind) -> None:
    with pytest.raises(BadIdentity):
        kind.identities.signer("token", kind.services)


def test_the_package_itself_accepts_a_bundle(servers: SigstoreServices) -> None:
    bundle = Bundle.from_json(_bundle(servers))
    config = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": servers.trusted_root,
        "signingConfig": servers.signing_config,
    }
    trusted = ClientTrustConfig.from_json(json.dumps(config)).trusted_root

    policy = AllOf([SameIdentity(identity=_SUBJECT), OIDCIssuerV2(_ISSUER)])
    kind, payload = Verifier(trusted_root=trusted).verify_dsse(bundle, policy)

    assert (kind, payload) == ("application/vnd.in-toto+json", _STATEMENT)


def test_services_are_named_by_urls_or_files(servers: SigstoreServices) -> None:
    root, config = servers.trusted_root, servers.signing_config
    both = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": root,
        "signingConfig": config,
    }
    for services in (
        Services(trusted_root=json.dumps(both).encode()),
        Services(
            trusted_root=json.dumps(root).encode(), signing_config=json.dumps(config).encode()
        ),
    ):
        mail = token("1", _ISSUER, email="me@example.org")
        bundle = SigstoreIdentities().signer(mail, services).bundle(_STATEMENT)
        wanted = Identity(subject=Wanted(pattern="^me@"), issuer=Wanted(pattern="tokens"))
        assert SigstoreIdentities().verifier(wanted, services).problem(bundle, _STATEMENT) == ""
    assert servers.tokens[-1] == f"Bearer {mail}"


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all texts in a document."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _places(each, (*path, key))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _places(each, (*path, at))
    else:
        yield path


def _put(document: Any, path: tuple[Any, ...], value: object) -> None:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def _changed(text: str) -> Iterator[str]:
    """Yield texts with one changed bit in each tenth byte, or with one other character."""
    try:
        content = b64decode(text, validate=True)
    except ValueError:
        content = b""
    if len(content) > 16:
        for at in range(0, len(content), 10):
            yield b64encode(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]).decode()
    else:
        for at in range(len(text)):
            yield text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :]


def _checkpoint(note: str) -> tuple[str, bytes] | None:
    """Return the text and the signature of a log's signed note, None for another text.

    The package knows a log by the hash of its key, not by the name beside the signature; and the
    last digit of the signature may have unused bits.
    """
    found = re.fullmatch(r"(?s)(.*)\n— \S+ ([\w+/]+=*)\n", note)
    try:
        return (found[1], b64decode(found[2])) if found else None
    except ValueError:
        return None


def test_each_changed_part_of_a_bundle_is_refused(servers: SigstoreServices) -> None:
    text = _bundle(servers)
    verifier = SigstoreIdentities().verifier(_IDENTITY, _services(servers))
    good = json.loads(text)
    count = 0
    for path in [*_places(good)]:
        for value in _changed(str(_at(good, path))):
            if (note := _checkpoint(value)) and note == _checkpoint(str(_at(good, path))):
                continue
            document = copy.deepcopy(good)
            _put(document, path, value)
            bundle = json.dumps(document).encode()
            assert verifier.problem(bundle, _STATEMENT), (path, value)
            count += 1
    assert count > 300
    for path in [*_places(good)]:
        document = copy.deepcopy(good)
        del _at(document, path[:-1])[path[-1]]
        assert verifier.problem(json.dumps(document).encode(), _STATEMENT), path
    assert verifier.problem(text, _STATEMENT) == ""


def test_parts_of_another_bundle_do_not_fit(servers: SigstoreServices) -> None:
    good = json.loads(_bundle(servers))
    other = json.loads(_bundle(servers, signature_statement(_DIGEST, {}, "r.example/app")))
    verifier = SigstoreIdentities().verifier(_IDENTITY, _services(servers))
    entry = ("verificationMaterial", "tlogEntries", 0)

    for path in (
        ("verificationMaterial", "certificate"),
        ("verificationMaterial", "tlogEntries"),
        (*entry, "inclusionProof"),
        (*entry, "inclusionPromise"),
        (*entry, "canonicalizedBody"),
        ("dsseEnvelope",),
        ("dsseEnvelope", "signatures"),
    ):
        document = copy.deepcopy(good)
        _put(document, path, _at(other, path))
        assert verifier.problem(json.dumps(document).encode(), _STATEMENT), path


def test_a_statement_that_is_none_is_refused(servers: SigstoreServices) -> None:
    signer = SigstoreIdentities().signer(token(_SUBJECT, _ISSUER), _services(servers))
    with pytest.raises(BadPredicate, match="cannot sign this statement"):
        signer.bundle(statement_of("app", _DIGEST, "https://a.example", b"[]"))


@pytest.mark.parametrize(
    ("services", "says"),
    [
        (Services(fulcio="https://a.example"), "need --trusted-root"),
        (Services(trusted_root=b"{"), "--trusted-root: "),
        (Services(trusted_root=b"[]"), "no configuration"),
        (Services(trusted_root=b"{}"), "no trusted root"),
    ],
)
def test_unusable_services_are_refused(services: Services, says: str) -> None:
    for attempt in (
        lambda: SigstoreIdentities().verifier(_IDENTITY, services),
        lambda: SigstoreIdentities().signer(token(_SUBJECT, _ISSUER), services),
    ):
        with pytest.raises(BadIdentity, match=says):
            attempt()


def test_a_token_is_sent_to_no_service_without_tls(servers: SigstoreServices) -> None:
    services = replace(_services(servers), fulcio="http://fulcio.example")

    with pytest.raises(BadIdentity, match=r"http://fulcio\.example: .* needs https"):
        SigstoreIdentities().signer(token(_SUBJECT, _ISSUER), services)


def test_a_token_for_another_service_is_refused(servers: SigstoreServices) -> None:
    with pytest.raises(BadIdentity, match="Audience") as refused:
        SigstoreIdentities().signer(token(_SUBJECT, _ISSUER, "docker"), _services(servers))
    assert 'needs the audience "sigstore"' in (refused.value.hint or "")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sigstore.verify", None)

    with pytest.raises(UsageError, match="without a key need more packages") as refused:
        SigstoreIdentities().verifier(_IDENTITY, Services())
    assert refused.value.hint == "pip install 'img-builder[sigstore]'"


def test_a_token_of_the_ci_system_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITLAB_CI", "true")
    given = token(_SUBJECT, _ISSUER)
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", given)
    assert SigstoreIdentities().token() == given
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    with pytest.raises(BadIdentity, match="gives no identity token"):
        SigstoreIdentities().token()
    assert MemorySigningIdentities("a b").token() == "a b"
