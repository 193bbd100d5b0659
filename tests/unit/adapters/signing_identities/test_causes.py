"""Failures of signatures without a key, each told with its own cause."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest

from img.adapters.signing_identities.causes import cause_of
from img.adapters.signing_identities.sigstore import SigstoreIdentities
from img.application.ports.signing_identities import Services, SigningServiceFailed
from img.domain.digest import Digest
from img.domain.signing.identity import Identity, Wanted
from img.domain.signing.statement import signature_statement
from tests.support.servers.scripted_server import Answer, Request, ScriptedServer
from tests.support.servers.sigstore_services import SigstoreServices, token

_SUBJECT, _ISSUER = "me@example.org", "https://tokens.example"
_STATEMENT = signature_statement(Digest.of(b"image"), {}, "r.example/app")
_IDENTITY = Identity(subject=Wanted(text=_SUBJECT), issuer=Wanted(text=_ISSUER))
_IDENTITIES = SigstoreIdentities()
_EXPIRED = "was signed when its certificate had expired, or was not valid yet"


@pytest.fixture(scope="module")
def servers() -> Iterator[SigstoreServices]:
    with SigstoreServices() as made:
        yield made


@pytest.fixture(scope="module")
def nowhere() -> str:
    """Return the address of a server that is gone."""
    with ExitStack() as stack:
        return stack.enter_context(SigstoreServices()).fulcio


def _services(servers: SigstoreServices, root: dict[str, Any] | None = None) -> Services:
    return Services(
        trusted_root=json.dumps(root or servers.trusted_root).encode(),
        fulcio=servers.fulcio,
        rekor=servers.rekor,
    )


def _same(answer: Answer, _request: Request) -> Answer:
    return answer


def _signed(services: Services, issuer: str = _ISSUER) -> bytes:
    return _IDENTITIES.signer(token(_SUBJECT, issuer), services).bundle(_STATEMENT)


@pytest.mark.parametrize("late", [-3600, 3600])
def test_a_log_whose_clock_is_outside_of_the_certificate_is_refused(late: int) -> None:
    with (
        SigstoreServices(late) as servers,
        pytest.raises(SigningServiceFailed, match=f"^the new signature {_EXPIRED}$"),
    ):
        _signed(_services(servers))


def test_a_certificate_that_expires_before_the_signature_is_named(
    servers: SigstoreServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = _IDENTITIES.signer(token(_SUBJECT, _ISSUER), _services(servers))
    later = Mock(now=lambda zone: datetime.now(zone) + timedelta(days=1))
    monkeypatch.setattr("sigstore.sign.datetime", later)

    with pytest.raises(SigningServiceFailed, match=r"^the certificate from Fulcio expired") as told:
        signer.bundle(_STATEMENT)
    assert told.value.hint == "sign again with a new identity token"


def test_services_that_do_not_answer_are_named(servers: SigstoreServices, nowhere: str) -> None:
    for services, says in (
        (replace(_services(servers), fulcio=nowhere), "Fulcio cannot be reached: .*refused"),
        (
            replace(_services(servers), rekor=nowhere),
            "the transparency log cannot be reached: .*refused",
        ),
    ):
        with pytest.raises(SigningServiceFailed, match=f"^{says}") as told:
            _signed(services)
        assert told.value.hint == "check the network, and try again"


def test_the_message_of_a_service_that_refuses_is_told(servers: SigstoreServices) -> None:
    says = "^no certificate from Fulcio: 400 Client Error.*: unknown issuer$"
    with pytest.raises(SigningServiceFailed, match=says):
        _signed(_services(servers), "https://unknown.example")
    for body, says in (
        (b'{"code":409,"message":"it is full"}', "409: it is full$"),
        (b"<html>", "Rekor returned an unknown error with HTTP 409$"),
    ):
        answer = Answer(status=409, body=body)
        with ScriptedServer(partial(_same, answer)) as refusing:
            services = replace(_services(servers), rekor=f"http://{refusing.address}")
            with pytest.raises(SigningServiceFailed, match=f"^no entry in the .* log: {says}"):
                _signed(services)


def test_answers_that_do_not_hold_are_refused(servers: SigstoreServices) -> None:
    with SigstoreServices() as other:
        services = replace(_services(servers), rekor=other.rekor)
        with pytest.raises(SigningServiceFailed, match=r"^the new signature has no valid entry"):
            _signed(services)
        services = replace(_services(servers), fulcio=other.fulcio)
        with pytest.raises(SigningServiceFailed, match=r"^the certificate from Fulcio does not"):
            _signed(services)


def _entry(document: Any) -> Any:
    return document["verificationMaterial"]["tlogEntries"][0]


def _lose_the_entry(document: Any) -> None:
    document["verificationMaterial"]["tlogEntries"] = []


def _lose_the_time(document: Any) -> None:
    del _entry(document)["inclusionPromise"]


def _set_the_time(document: Any) -> None:
    _entry(document)["integratedTime"] = "99"


def _change_the_proof(document: Any) -> None:
    _entry(document)["inclusionProof"]["rootHash"] = "AAAA"


def _change_the_statement(document: Any) -> None:
    document["dsseEnvelope"]["payload"] = "e30="


def _lose_the_certificate(document: Any) -> None:
    del document["verificationMaterial"]["certificate"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_lose_the_entry, "one has no entry in the transparency log"),
        (_lose_the_time, "one has no time that a service signed"),
        (_set_the_time, f"one {_EXPIRED}"),
        (_change_the_proof, "one has no valid entry in the transparency log: "),
        (_change_the_statement, "one has a bad signature: it or the statement was changed"),
        (_lose_the_certificate, "one is no bundle that can be read: "),
    ],
)
def test_the_cause_is_told_of_a_changed_bundle(
    servers: SigstoreServices, change: Callable[[Any], None], says: str
) -> None:
    document = json.loads(_signed(_services(servers)))
    change(document)
    verifier = _IDENTITIES.verifier(_IDENTITY, _services(servers))

    assert verifier.problem(json.dumps(document).encode(), _STATEMENT).startswith(says)


def test_an_entry_of_another_signature_is_told(servers: SigstoreServices) -> None:
    document, other = (json.loads(_signed(_services(servers))) for _ in range(2))
    document["verificationMaterial"]["tlogEntries"] = [_entry(other)]
    verifier = _IDENTITIES.verifier(_IDENTITY, _services(servers))

    found = verifier.problem(json.dumps(document).encode(), _STATEMENT)
    assert found.startswith("one has the log entry of another signature: ")


@pytest.mark.parametrize(
    ("subject", "issuer", "says"),
    [
        ("you", _ISSUER, f"one is by {_SUBJECT}, not by you"),
        (
            _SUBJECT,
            "https://other.example",
            f"one is by an identity of {_ISSUER}, not of https://other.example",
        ),
    ],
)
def test_the_part_of_the_identity_that_differs_is_told(
    servers: SigstoreServices, subject: str, issuer: str, says: str
) -> None:
    wanted = Identity(subject=Wanted(text=subject), issuer=Wanted(text=issuer))

    verifier = _IDENTITIES.verifier(wanted, _services(servers))

    assert verifier.problem(_signed(_services(servers)), _STATEMENT) == says


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("certificateAuthorities", "one has a certificate of an authority that is not trusted: "),
        ("ctlogs", "one has a certificate that is not in a trusted certificate log: "),
        ("tlogs", "one has no valid entry in the transparency log: "),
    ],
)
def test_the_service_that_is_not_trusted_is_told(
    servers: SigstoreServices, part: str, says: str
) -> None:
    bundle = _signed(_services(servers))
    root = {**servers.trusted_root, part: SigstoreServices().trusted_root[part]}

    verifier = _IDENTITIES.verifier(_IDENTITY, _services(servers, root))

    assert verifier.problem(bundle, _STATEMENT).startswith(says)


def test_an_unknown_cause_is_the_message_of_the_package() -> None:
    assert cause_of(ValueError("it\nis odd")) == "does not hold: it is odd"
    assert cause_of(ValueError()) == "does not hold: ValueError"
