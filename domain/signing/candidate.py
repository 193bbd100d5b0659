"""Signatures as they were found, and what is left of them after a check."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError, TrustError
from img.domain.oci.descriptor import Descriptor
from img.domain.signing import claim, envelope
from img.domain.signing.claim import Claim
from img.domain.signing.envelope import Envelope, signature_in
from img.domain.signing.places import SIGNATURE
from img.domain.signing.statement import COSIGN_SIGN, Statement

MOST = 100  # candidates of one image; a registry could send any number
_LARGEST = 32 << 20  # bytes of one of them
_LARGEST_CLAIM = 1 << 20
MOST_BYTES = 128 << 20  # of all of them together: reading a hostile document takes seconds

Verifies = Callable[[bytes, bytes], bool]
"""Tells whether a signature of some bytes, (signed, signature), is by the key."""
VerifiesBundle = Callable[[bytes, bytes], str]
"""Returns why a Sigstore bundle does not sign a statement, (bundle, statement), "" if it does."""
Holds = Callable[["Candidate"], str]
"""Returns why the signature of a candidate does not hold, "" if it does."""


class NotTrusted(TrustError):
    """An image has no signature by the key, or none that says what is asked for."""

    def __init__(self, name: str, what: str, reasons: Sequence[str], hint: str) -> None:
        found = "; ".join(dict.fromkeys(reasons))
        super().__init__(f"{name} has no {what}" + (f": {found}" if found else ""))
        self.hint = hint
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The required content of a signature, or of an attestation of ``predicate_type``."""

    digest: Digest
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    predicate_type: str = ""  # "": a signature of the image itself
    signer: str = "key"  # in messages: the image has no signature by this key

    @property
    def what(self) -> str:
        """The words for it in messages."""
        kind = f"attestation {self.predicate_type}" if self.predicate_type else "signature"
        return f"{kind} by this {self.signer}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Bytes that may be a signature: nothing of them is to be believed before ``problem``."""

    payload: bytes
    signed: bytes
    signatures: tuple[bytes, ...]
    is_statement: bool
    predicate_type: str = ""
    bundle: bytes = b""  # the whole Sigstore bundle that it is from; b"" for other forms

    @classmethod
    def of_layer(cls, layer: Descriptor, content: bytes) -> "Candidate":
        """Return the candidate in a layer of a signature's manifest. Raises InvalidDocument."""
        if layer.media_type == claim.MEDIA_TYPE:
            signature = signature_in(layer.annotations.get(SIGNATURE, ""))
            found = () if signature is None else (signature,)
            return cls(payload=content, signed=content, signatures=found, is_statement=False)
        is_bundle = envelope.is_bundle(layer.media_type)
        read = Envelope.of_bundle(content) if is_bundle else Envelope.decode(content)
        return cls(
            payload=read.payload,
            signed=read.signed,
            signatures=read.signatures,
            is_statement=True,
            predicate_type=Statement.decode(read.payload).predicate_type,
            bundle=content if is_bundle else b"",
        )

    def suits(self, asked: Asked) -> bool:
        """Return whether the candidate is of the kind that is asked for."""
        if not asked.predicate_type:
            return not self.is_statement or self.predicate_type == COSIGN_SIGN
        return self.is_statement and self.predicate_type == asked.predicate_type

    def problem(self, asked: Asked, holds: Holds) -> str:
        """Return why this is not what is asked for, "" if it is: signed, and of the image."""
        if problem := holds(self):
            return problem
        try:
            about, annotations = self._says(asked.digest)
        except ImgError as error:
            return error.message
        if not about:
            return "one is of another image"
        missing = [name for name, value in asked.annotations.items()
                   if annotations.get(name) != value]  # fmt: skip
        if missing:
            return f"one lacks the annotation {missing[0]}={asked.annotations[missing[0]]}"
        return ""

    def _says(self, digest: Digest) -> tuple[bool, Mapping[str, str]]:
        if self.is_statement:
            statement = Statement.decode(self.payload)
            return statement.is_about(digest), statement.annotations_of(digest)
        claimed = Claim.decode(self.payload)
        return claimed.digest == digest, claimed.annotations


def by_key(verifies: Verifies) -> Holds:
    """Return the check that a signature is by a key."""

    def problem(candidate: Candidate) -> str:
        if any(verifies(candidate.signed, each) for each in candidate.signatures):
            return ""
        return "one is by another key, or was changed"

    return problem


def by_identity(verifies: VerifiesBundle) -> Holds:
    """Return the check that a signature is by an identity: only bundles have a certificate."""

    def problem(candidate: Candidate) -> str:
        if not candidate.bundle:
            return "one is by a key"
        return verifies(candidate.bundle, candidate.payload)

    return problem


def most_bytes(layer: Descriptor) -> int:
    """Return the size in bytes up to which a layer is read."""
    return _LARGEST_CLAIM if layer.media_type == claim.MEDIA_TYPE else _LARGEST


def is_signed_layer(layer: Descriptor) -> bool:
    """Return whether a layer of a signature's manifest can be read as a candidate."""
    kinds = (claim.MEDIA_TYPE, envelope.MEDIA_TYPE)
    return layer.media_type in kinds or envelope.is_bundle(layer.media_type)


def verified(
    candidates: Iterable[Candidate], asked: Asked, holds: Holds, reasons: list[str]
) -> Sequence[Candidate]:
    """Return those of ``candidates`` that hold, and add to ``reasons`` why others do not."""
    good: dict[bytes, Candidate] = {}
    for candidate in candidates:
        if not candidate.suits(asked):
            continue
        if problem := candidate.problem(asked, holds):
            reasons.append(problem)
        else:
            good.setdefault(candidate.payload, candidate)
    return [*good.values()]
