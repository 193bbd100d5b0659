"""Signing of images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from img.application.ports.signing_keys import BundleSigner, Signer
from img.application.ports.state_lock import StateLock
from img.application.signatures.keep import KeepSignatures
from img.application.transfer.catalog import Catalog
from img.application.usecases.list_attestations import FoundAttestation, ListAttestations
from img.application.usecases.verify_image import PlaceOfSignatures
from img.domain.attestations.statement import STATEMENT_MEDIA_TYPE
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_place import ImagePlace, RegistryPlace, StoredPlace
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, media_type_of
from img.domain.oci.descent import descend
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
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
    attestations: bool = False  # sign those that are stored beside the image instead


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
    attestations: ListAttestations
    catalog: Catalog
    lock: StateLock

    def __call__(
        self, place: ImagePlace, signer: BundleSigner, request: SigningRequest
    ) -> Sequence[Signed]:
        """Sign the image at ``place`` and keep the signatures beside it.

        A signer without a key makes bundles only. Raises UsageError, BadPredicate, ImageNotFound,
        InvalidDocument, RegistryError, and the errors of ``signer``.
        """
        stored = isinstance(place, StoredPlace)
        if request.form is not SignatureForm.BUNDLE and not isinstance(signer, Signer):
            raise UsageError("only a bundle has room for a certificate", hint="use --as bundle")
        found: Sequence[tuple[FoundAttestation, bytes]] = ()
        if request.attestations and isinstance(place, RegistryPlace | StoredPlace):
            found = self._attestations(place)
        with self.lock.working():
            repository, target = self.place(place)
            # All of them are read before the first is signed.
            statements = [*self._of_predicate(repository, target, request)]
            statements += [self._about(repository, *each) for each in found]
            if request.attestations or request.predicate is not None:
                for subject, payload in statements:
                    self._keep(repository, subject, payload, signer, request.form, stored=stored)
                return [_signed(repository, *each) for each in statements]
            subjects = self._subjects(target, request)
            for subject in subjects:
                self._sign(repository, subject, signer, request, stored=stored)
            return [Signed(repository=repository, digest=each.digest) for each in subjects]

    def _sign(
        self,
        repository: ImageReference,
        subject: Descriptor,
        signer: BundleSigner,
        request: SigningRequest,
        *,
        stored: bool,
    ) -> None:
        form, annotations = request.form, request.annotations
        if form is not SignatureForm.BUNDLE and isinstance(signer, Signer):
            claim = Claim(
                digest=subject.digest, repository=repository.repository, annotations=annotations
            )
            self.keep.signature(repository, subject, claim.encode(), signer, form, stored=stored)
            return
        # sigstore (PyPI) refuses a subject without a name; cosign reads the digest alone.
        name = "" if isinstance(signer, Signer) else repository.repository
        payload = signature_statement(subject.digest, annotations, name)
        self.keep.bundle(repository, subject, payload, signer, stored=stored)

    def _keep(
        self,
        repository: ImageReference,
        subject: Descriptor,
        payload: bytes,
        signer: BundleSigner,
        form: SignatureForm,
        *,
        stored: bool,
    ) -> None:
        """Sign a statement about ``subject`` and keep it."""
        if form is not SignatureForm.BUNDLE and isinstance(signer, Signer):
            self.keep.statement(repository, subject, payload, signer, form, stored=stored)
        else:
            self.keep.bundle(repository, subject, payload, signer, stored=stored)

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

    def _of_predicate(
        self, repository: ImageReference, target: Descriptor, request: SigningRequest
    ) -> Iterator[tuple[Descriptor, bytes]]:
        if (own := request.predicate) is not None:
            name = repository.repository
            for subject in self._subjects(target, request):
                yield subject, statement_of(name, subject.digest, own.type, own.content)

    def _attestations(
        self, place: RegistryPlace | StoredPlace
    ) -> Sequence[tuple[FoundAttestation, bytes]]:
        """Return the statements and documents about an image. Raises UsageError for none."""
        found = [
            (each, self.attestations.content(place, each)) for each in self.attestations(place)
        ]
        if not found:
            raise UsageError(
                f"{place} has no attestations", hint="sign a statement of your own with --predicate"
            )
        return found

    def _about(
        self, repository: ImageReference, found: FoundAttestation, content: bytes
    ) -> tuple[Descriptor, bytes]:
        """Return the image and the statement; a document becomes a statement."""
        document = self.catalog.read(
            Descriptor(media_type=media_types.OCI_MANIFEST, digest=found.image, size=0)
        )
        subject = Descriptor(
            media_type=media_type_of(document), digest=found.image, size=len(document)
        )
        name = repository.repository
        if found.blob.media_type == STATEMENT_MEDIA_TYPE:
            return subject, about(content, name, found.image)
        return subject, statement_of(name, found.image, found.predicate_type, content)


def _signed(repository: ImageReference, subject: Descriptor, payload: bytes) -> Signed:
    kind = Statement.decode(payload).predicate_type
    return Signed(repository=repository, digest=subject.digest, predicate_type=kind)
