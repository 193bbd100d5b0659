"""Signing of images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from img.application.ports.signing_keys import Signer
from img.application.ports.state_lock import StateLock
from img.application.signatures.keep import KeepSignatures
from img.application.transfer.catalog import Catalog
from img.application.usecases.verify_image import PlaceOfSignatures
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_place import ImagePlace, StoredPlace
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index
from img.domain.oci.descent import descend
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from img.domain.signing import attestation_manifests
from img.domain.signing.candidate import LARGEST
from img.domain.signing.claim import Claim
from img.domain.signing.places import SignatureForm
from img.domain.signing.statement import Statement, about, signature_statement, statement_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """A predicate of a user as JSON text, to be signed as a statement about the image."""

    type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequest:
    """The part of an image to sign, and the form of signatures."""

    form: SignatureForm = SignatureForm.TAG
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    recursive: bool = False  # of an index its manifests too
    predicate: Predicate | None = None  # sign a statement in place of the image
    attestations: bool = False  # sign the statements in the image's index instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed image, or a signed statement about it."""

    repository: ImageReference
    digest: Digest
    predicate_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignImage:
    """``img sign``."""

    place: PlaceOfSignatures
    keep: KeepSignatures
    catalog: Catalog
    lock: StateLock

    def __call__(self, place: ImagePlace, key: Signer, request: SigningRequest) -> Sequence[Signed]:
        """Sign the image at ``place`` and keep the signatures beside it.

        Raises UsageError, BadPredicate, ImageNotFound, InvalidDocument, RegistryError.
        """
        stored = isinstance(place, StoredPlace)
        if stored and request.form is not SignatureForm.TAG:
            raise UsageError("only a registry has referrers", hint="leave --as out")
        with self.lock.working():
            repository, target = self.place(place)
            # All of them are read before the first is signed.
            statements = [*self._statements(repository, target, request)]
            if request.attestations or request.predicate is not None:
                for subject, payload in statements:
                    self.keep.statement(
                        repository, subject, payload, key, request.form, stored=stored
                    )
                return [_signed(repository, *each) for each in statements]
            subjects = self._subjects(target, request)
            for subject in subjects:
                self._sign(repository, subject, key, request, stored=stored)
            return [Signed(repository=repository, digest=each.digest) for each in subjects]

    def _sign(
        self,
        repository: ImageReference,
        subject: Descriptor,
        key: Signer,
        request: SigningRequest,
        *,
        stored: bool,
    ) -> None:
        form, annotations = request.form, request.annotations
        if form is SignatureForm.BUNDLE:
            payload = signature_statement(subject.digest, annotations)
            self.keep.statement(repository, subject, payload, key, form, stored=stored)
            return
        claim = Claim(
            digest=subject.digest, repository=repository.repository, annotations=annotations
        )
        self.keep.signature(repository, subject, claim.encode(), key, form, stored=stored)

    def _subjects(self, target: Descriptor, request: SigningRequest) -> Sequence[Descriptor]:
        """Return ``target``, with its manifests if they are asked for, without their platforms."""
        every = descend(target, self._children) if request.recursive else (target,)
        return [
            Descriptor(media_type=each.media_type, digest=each.digest, size=each.size)
            for each in every
        ]

    def _children(self, document: Descriptor) -> Sequence[Descriptor]:
        if document.media_type not in media_types.INDEXES:
            return ()
        return decode_index(self.catalog.read(document)).manifests

    def _statements(
        self, repository: ImageReference, target: Descriptor, request: SigningRequest
    ) -> Iterator[tuple[Descriptor, bytes]]:
        name = repository.repository
        if (own := request.predicate) is not None:
            for subject in self._subjects(target, request):
                yield subject, statement_of(name, subject.digest, own.type, own.content)
        elif request.attestations:
            found = [*self._of_index(repository, target)]
            if not found:
                raise UsageError(
                    f"{repository.familiar} has no attestations in its index",
                    hint="sign a statement of your own with --predicate FILE",
                )
            yield from found

    def _of_index(
        self, repository: ImageReference, target: Descriptor
    ) -> Iterator[tuple[Descriptor, bytes]]:
        if target.media_type not in media_types.INDEXES:
            return
        find = self.keep.find
        for image, manifest in attestation_manifests.pairs_of(
            decode_index(self.catalog.read(target))
        ):
            subject = Descriptor(media_type=image.media_type, digest=image.digest, size=image.size)
            for layer in attestation_manifests.statements_of(find.layers(repository, manifest)):
                if layer.size > LARGEST:
                    raise UsageError(f"the statement {layer.digest} is too large to be signed")
                content = find.transfer.pull_blob(repository, layer)
                yield subject, about(content, repository.repository, subject.digest)


def _signed(repository: ImageReference, subject: Descriptor, payload: bytes) -> Signed:
    kind = Statement.decode(payload).predicate_type
    return Signed(repository=repository, digest=subject.digest, predicate_type=kind)
