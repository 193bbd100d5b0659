"""Statements about images (in-toto, spec/v1/statement.md)."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.attestations.statement import STATEMENT_MEDIA_TYPE
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.json_text import InvalidJson, parse_json
from img.domain.oci.fields import Fields, compact

MEDIA_TYPE = STATEMENT_MEDIA_TYPE
_TYPE = "https://in-toto.io/Statement/v1"
_TYPES = (_TYPE, "https://in-toto.io/Statement/v0.1")
_NAME = "in-toto statement"

COSIGN_SIGN = "https://sigstore.dev/cosign/sign/v1"
"""The predicate of a signature in the form of cosign 3; it is empty."""

# Short names that cosign takes for --type (cosign, options/predicate.go).
_SHORT = {
    "custom": "https://cosign.sigstore.dev/attestation/v1",
    "cyclonedx": "https://cyclonedx.org/bom",
    "link": "https://in-toto.io/Link/v1",
    "openvex": "https://openvex.dev/ns",
    "slsaprovenance": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance1": "https://slsa.dev/provenance/v1",
    "spdx": "https://spdx.dev/Document",
    "spdxjson": "https://spdx.dev/Document",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
}


class BadPredicate(UsageError):
    """A predicate that cannot be signed."""


def predicate_type_of(text: str) -> str:
    """Return the type that ``text``, of ``--type``, names: a URI or a name of cosign's."""
    if "://" in text:
        return text
    if text not in _SHORT:
        raise UsageError(f"unknown type of attestation {text!r}", hint="a URI, or " + _names())
    return _SHORT[text]


def _names() -> str:
    return ", ".join(sorted(_SHORT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The type of a statement, and the subjects that it is about."""

    predicate_type: str
    # The annotations of each subject by its digests, as "sha256:…".
    subjects: Mapping[str, Mapping[str, str]] = field(hash=False)

    @classmethod
    def decode(cls, payload: bytes) -> "Statement":
        """Return the statement in ``payload``. Raises InvalidDocument."""
        fields = Fields.parse(payload, _NAME)
        if (kind := fields.required_text("_type")) not in _TYPES:
            fields.refuse("_type", f'must be "{_TYPE}", not "{kind[:80]}"')
        subjects: dict[str, Mapping[str, str]] = {}
        for subject in fields.nested_list("subject"):
            annotations = subject.nested("annotations")
            given = annotations.rest() if annotations else {}
            texts = {name: value for name, value in given.items() if isinstance(value, str)}
            for name, hex_ in subject.text_map("digest").items():
                subjects.setdefault(f"{name}:{hex_}", texts)
        return cls(predicate_type=fields.required_text("predicateType"), subjects=subjects)

    def is_about(self, digest: Digest) -> bool:
        """Return whether the statement is about ``digest``."""
        return str(digest) in self.subjects

    def annotations_of(self, digest: Digest) -> Mapping[str, str]:
        """Return the annotations of the subject with ``digest``, none for another digest."""
        return self.subjects.get(str(digest), {})


def signature_statement(digest: Digest, annotations: Mapping[str, str], name: str = "") -> bytes:
    """Return the statement of a signature in the form of cosign 3, which has no ``name``."""
    subject: dict[str, object] = {"digest": {digest.algorithm: digest.encoded}}
    if name:
        subject = {"name": name, **subject}
    if annotations:
        subject["annotations"] = dict(sorted(annotations.items()))
    return _encoded([subject], COSIGN_SIGN, {})


def statement_of(name: str, digest: Digest, predicate_type: str, predicate: bytes) -> bytes:
    """Return a statement with the JSON text ``predicate``. Raises BadPredicate."""
    try:
        value = parse_json(predicate)
    except InvalidJson as error:
        raise BadPredicate(f"the predicate is {error.message}") from None
    subject: dict[str, object] = {"name": name, "digest": {digest.algorithm: digest.encoded}}
    return _encoded([subject], predicate_type, value)


def about(payload: bytes, name: str, digest: Digest) -> bytes:
    """Return a statement with ``digest`` as its subject if it has none.

    BuildKit's statements about images without names have none. Statements are from a registry, so
    one that would be a signature, or that has a second subject, would let others sign by this key.
    Raises InvalidDocument, and BadPredicate for a statement that is not about ``digest`` alone.
    """
    statement = Statement.decode(payload)
    if statement.predicate_type == COSIGN_SIGN:
        raise BadPredicate(f"a statement about {digest} is a signature, not an attestation")
    if set(statement.subjects) == {str(digest)}:
        return payload
    if statement.subjects:
        raise BadPredicate(f"a statement of {statement.predicate_type} is not about {digest} alone")
    document = parse_json(payload)
    assert isinstance(document, dict)  # it was decoded
    subject = {"name": name, "digest": {digest.algorithm: digest.encoded}}
    return compact({**document, "subject": [subject]})


def parse_annotations(texts: tuple[str, ...] | list[str]) -> Mapping[str, str]:
    """Return the annotations in the values of ``-a``. Raises UsageError."""
    made: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UsageError(f"invalid annotation {text!r}", hint="use KEY=VALUE")
        made[name] = value
    return made


def _encoded(subjects: list[dict[str, object]], predicate_type: str, predicate: object) -> bytes:
    return compact(
        {
            "_type": _TYPE,
            "subject": subjects,
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )
