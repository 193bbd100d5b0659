"""Documents of signatures: payloads, statements, envelopes, bundles."""

import json
from base64 import b64decode

import pytest

from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.fields import InvalidDocument
from img.domain.signing.candidate import Asked, Candidate, by_key
from img.domain.signing.claim import Claim
from img.domain.signing.envelope import Envelope, pre_authentication, signature_in
from img.domain.signing.places import SignatureForm, signature_blob, tag_of
from img.domain.signing.statement import (
    BadPredicate,
    Statement,
    about,
    parse_annotations,
    predicate_type_of,
    signature_statement,
    statement_of,
)

_DIGEST = Digest.of(b"image")
_OTHER = Digest.of(b"other")
_CLAIM = Claim(digest=_DIGEST).encode()


def test_a_claim_is_written_as_cosign_writes_it() -> None:
    claim = Claim(digest=_DIGEST, repository="r.example/app")

    assert claim.encode() == (
        b'{"critical":{"identity":{"docker-reference":"r.example/app"},"image":'
        b'{"docker-manifest-digest":"%s"},"type":"cosign container image signature"},'
        b'"optional":null}' % str(_DIGEST).encode()
    )
    assert Claim.decode(claim.encode()) == claim


def test_annotations_of_a_claim_are_sorted_and_other_values_left_out() -> None:
    text = Claim(digest=_DIGEST, annotations={"b": "2", "a": "1"}).encode()
    assert text.endswith(b'"optional":{"a":"1","b":"2"}}')

    read = Claim.decode(text.replace(b'"2"', b"2"))

    assert read.annotations == {"a": "1"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"critical":{"type":"atomic container signature","image":{}}}',
        _CLAIM.replace(str(_DIGEST).encode(), b"sha256:1"),
        b'{"critical":{"type":"cosign container image signature","image":[]}}',
    ],
)
def test_other_payloads_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidDocument):
        Claim.decode(content)


def test_the_encoding_that_is_signed_is_that_of_the_specification() -> None:
    # DSSE, protocol.md, the example of PAE
    encoded = pre_authentication("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_envelopes_and_bundles_keep_payload_and_signatures() -> None:
    made = Envelope(payload=b'{"a":1}', signatures=(b"\xff\xfe", b"2"))

    assert Envelope.decode(made.encode()) == made
    assert Envelope.of_bundle(made.bundle("hint")) == made
    document = json.loads(made.bundle("hint"))
    assert document["verificationMaterial"] == {"publicKey": {"hint": "hint"}}
    url_safe = made.encode().replace(b"//4=", b"__4=")
    assert url_safe != made.encode()
    assert Envelope.decode(url_safe) == made


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"signatures":[{"keyid":"","sig":"c2ln"}]', b'"signatures":[]'),
        (b'"signatures":[', b'"signatures":[' + b'{"sig":"c2ln"},' * 16),
        (b'"c2ln"', b'"c2ln="'),
        (b'"c2ln"', b'"c2l"'),
        (b'"c2ln"', b'"%s"' % (b"A" * 6000)),
        (b'"payload":"', b'"payload":"*'),
        (b'"payloadType":"application/vnd.in-toto+json",', b""),
        (b'"application/vnd.in-toto+json"', b'"application/json"'),
        (b"{", b"["),
    ],
)
def test_broken_envelopes_are_refused(old: bytes, new: bytes) -> None:
    text = Envelope(payload=b"{}", signatures=(b"sig",)).encode()
    assert old in text

    with pytest.raises(InvalidDocument):
        Envelope.decode(text.replace(old, new, 1))


def test_bundles_without_an_envelope_and_of_other_kinds_are_refused() -> None:
    text = Envelope(payload=b"{}", signatures=(b"sig",)).bundle("")

    with pytest.raises(InvalidDocument, match="mediaType"):
        Envelope.of_bundle(text.replace(b"sigstore", b"other"))
    with pytest.raises(InvalidDocument, match="dsseEnvelope"):
        Envelope.of_bundle(text.replace(b"dsseEnvelope", b"messageSignature"))


def test_a_signature_has_one_spelling_in_base64() -> None:
    assert signature_in("c2k=") == b"si" == b64decode("c2l=")
    for text in ("c2l=", "c2k", " c2k=", "c2k=\n", "", "é", "c2k=c2k="):
        assert signature_in(text) is None


def test_statements_are_about_the_digests_of_their_subjects() -> None:
    made = Statement.decode(signature_statement(_DIGEST, {"a": "1"}))
    assert made.is_about(_DIGEST)
    assert not made.is_about(_OTHER)
    assert made.annotations_of(_DIGEST) == {"a": "1"}
    text = signature_statement(_OTHER, {"a": "2"})
    subject = json.dumps({"digest": {"sha256": _DIGEST.encoded}}).encode()
    made = Statement.decode(text.replace(b'"subject":[', b'"subject":[' + subject + b","))
    assert made.is_about(_OTHER)
    assert (made.annotations_of(_DIGEST), made.annotations_of(_OTHER)) == ({}, {"a": "2"})

    made = Statement.decode(statement_of("app", _DIGEST, "https://p", b'{"x":[1]}'))
    assert (made.predicate_type, made.is_about(_DIGEST)) == ("https://p", True)


def test_a_statement_without_a_subject_gets_one() -> None:
    text = b'{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"p","a":2}'

    made = about(text, "app", _DIGEST)

    assert Statement.decode(made).is_about(_DIGEST)
    assert json.loads(made)["a"] == 2
    assert about(made, "other", _DIGEST) == made
    with pytest.raises(BadPredicate, match="not about"):
        about(made, "app", _OTHER)
    other = b'"subject":[{"digest":{"sha256":"%s"}},' % _OTHER.encoded.encode()
    with pytest.raises(BadPredicate, match="alone"):
        about(made.replace(b'"subject":[', other), "app", _DIGEST)
    with pytest.raises(BadPredicate, match="is a signature"):
        about(signature_statement(_DIGEST, {}), "app", _DIGEST)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"_type":"x"}', b'{"_type":"%s"}'])
def test_other_documents_are_no_statements(content: bytes) -> None:
    with pytest.raises(InvalidDocument):
        Statement.decode(content)


def test_words_of_users_are_checked() -> None:
    assert predicate_type_of("spdxjson") == "https://spdx.dev/Document"
    assert predicate_type_of("https://a/b") == "https://a/b"
    assert parse_annotations(["a=1", "b="]) == {"a": "1", "b": ""}
    assert SignatureForm.parse("bundle") is SignatureForm.BUNDLE
    for call in (
        lambda: predicate_type_of("x"),
        lambda: parse_annotations(["a"]),
        lambda: SignatureForm.parse("x"),
        lambda: statement_of("app", _DIGEST, "p", b"{"),
    ):
        with pytest.raises(UsageError):
            call()


def test_tags_hold_the_digest() -> None:
    assert tag_of(_DIGEST, "sig") == f"sha256-{_DIGEST.encoded}.sig"
    assert len(tag_of(Digest("sha512", "0" * 128), "sig")) > 128  # no registry takes it


def test_the_blob_of_a_signature_describes_itself() -> None:
    blob = signature_blob(b"payload", b"sig")
    assert blob.descriptor == Descriptor(
        media_type="application/vnd.dev.cosign.simplesigning.v1+json",
        digest=Digest.of(b"payload"),
        size=7,
        annotations={"dev.cosignproject.cosign/signature": "c2ln"},
    )


def test_of_several_signatures_in_an_envelope_one_by_the_key_is_enough() -> None:
    candidate = Candidate(
        payload=_CLAIM,
        signed=b"signed",
        signatures=(b"by another key", b"by the key"),
        is_statement=False,
    )

    assert (
        candidate.problem(Asked(digest=_DIGEST), by_key(lambda _, each: each == b"by the key"))
        == ""
    )
    assert candidate.problem(Asked(digest=_DIGEST), by_key(lambda *_: False)) != ""
