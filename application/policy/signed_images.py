"""Signatures of the images that a build reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from img.application.ports.registry import ManifestUnknown, Registry, RegistryError
from img.application.ports.signing_keys import BadKey, SigningKeys, Verifier
from img.application.signatures.check import CheckSignatures
from img.application.transfer.blobs import Transfer
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index
from img.domain.oci.descent import descend
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference
from img.domain.signing.candidate import Asked, Holds, NotTrusted, by_key


class SignaturesUnread(RegistryError):
    """The registry of an image, which may be stored here, does not say which signatures it has."""

    def __init__(self, error: RegistryError) -> None:
        super().__init__(
            f"its signatures cannot be read: {error.message}",
            hint=error.hint,
            retryable=error.retryable,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSigned:
    """The check that an image, or an index that has it, is signed by one of some keys.

    ``files`` are the contents of key files by path.
    """

    check: CheckSignatures
    registry: Registry
    transfer: Transfer
    keys: SigningKeys
    files: Mapping[str, bytes]
    _verifiers: dict[str, Verifier] = field(default_factory=dict)
    _good: set[tuple[Digest, tuple[str, ...]]] = field(default_factory=set)

    def __call__(
        self, reference: ImageReference | None, manifest: Digest, places: Sequence[str]
    ) -> None:
        """Check the image with ``manifest``; ``places`` are the paths of keys.

        ``reference`` is its name, None for an image without one. Raises NotTrusted, BadKey,
        RegistryError.
        """
        known = (manifest, tuple(places))
        if known in self._good:
            return
        keys = [self._verifier(place) for place in places]

        def verifies(signed: bytes, signature: bytes) -> bool:
            return any(key.verifies(signed, signature) for key in keys)

        try:
            self._check(reference, manifest, by_key(verifies))
        except RegistryError as error:
            raise SignaturesUnread(error) from error
        self._good.add(known)

    def _check(self, reference: ImageReference | None, manifest: Digest, holds: Holds) -> None:
        try:
            self.check(reference, Asked(digest=manifest), holds)
        except NotTrusted as error:
            index = None if reference is None else self._index_with(reference, manifest)
            if reference is None or index is None:
                raise
            try:
                self.check(reference, Asked(digest=index), holds)
            except NotTrusted as other:
                raise other from error

    def _verifier(self, place: str) -> Verifier:
        if place not in self._verifiers:
            try:
                self._verifiers[place] = self.keys.verifier(self.files[place])
            except BadKey as error:
                raise BadKey(f"{place}: {error.message}", hint=error.hint) from None
        return self._verifiers[place]

    def _index_with(self, reference: ImageReference, manifest: Digest) -> Digest | None:
        """Return the index that ``reference`` names if it has ``manifest``, else None."""
        try:
            target = self.registry.resolve(reference)
        except ManifestUnknown:
            return None
        if target.media_type not in media_types.INDEXES:
            return None

        def children(document: Descriptor) -> Iterator[Descriptor]:
            if document.media_type in media_types.INDEXES:
                yield from decode_index(self.transfer.pull_document(reference, document)).manifests

        found = any(each.digest == manifest for each in descend(target, children))
        return target.digest if found else None
