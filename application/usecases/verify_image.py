"""Verification of images."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from typing import BinaryIO

from img.application.ports.state_lock import StateLock
from img.application.signatures.check import CheckSignatures
from img.application.transfer.find_image import FindImage
from img.application.transfer.gather_image import GatherImage
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_place import ImagePlace, RegistryPlace, StoredPlace
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from img.domain.signing.candidate import Asked, Candidate, Holds, NotTrusted


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedImage:
    """An image and its signatures that hold."""

    repository: ImageReference
    digest: Digest
    signatures: Sequence[Candidate] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOfSignatures:
    """The repository of an image, which has its signatures too."""

    gather: GatherImage
    find: FindImage

    def __call__(
        self, place: ImagePlace, platform: Platform | None = None
    ) -> tuple[ImageReference, Descriptor]:
        """Return the repository and the manifest or index of the image at ``place``.

        With ``platform`` it is the manifest for that. Raises UsageError, ImageNotFound,
        NoPlatformMatch, RegistryError.
        """
        match place:
            case RegistryPlace(reference):
                return reference, self.gather.of_registry(reference, platform, whole=False)
            case StoredPlace(name):
                found = self.find(name)
                names = [found.reference_for(name), *found.references]
                known = next(filter(None, names), None)
                if known is None:
                    raise UsageError(
                        f"{place} has no name, and signatures are kept beside a name",
                        hint="give it one with `img tag`",
                    )
                return known, self.gather(place, platform, open_file=_no_file, whole=False)
            case _:
                raise UsageError(
                    f"{place} has no place for signatures",
                    hint="use NAME, of a registry, or store:NAME",
                )


def _no_file(path: str) -> AbstractContextManager[BinaryIO]:
    raise AssertionError(f"{path}: only archives are files")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyImage:
    """``img verify``."""

    place: PlaceOfSignatures
    check: CheckSignatures
    lock: StateLock

    def __call__(
        self,
        place: ImagePlace,
        holds: Holds,
        *,
        signer: str = "key",
        annotations: Mapping[str, str],
        predicate_type: str = "",
        platform: Platform | None = None,
    ) -> VerifiedImage:
        """Return the signatures, or the attestations of a type, that hold.

        ``signer`` is the word for the signer in messages.

        Raises NotTrusted, UsageError, ImageNotFound, RegistryError.
        """
        with self.lock.working():
            repository, target = self.place(place, platform)
            asked = Asked(
                digest=target.digest,
                annotations=annotations,
                predicate_type=predicate_type,
                signer=signer,
            )
            stored = isinstance(place, StoredPlace)
            try:
                found = self.check(repository, asked, holds, stored=stored)
            except NotTrusted as error:
                if predicate_type and target.media_type in media_types.INDEXES:
                    error.hint = "attestations are about the image of a platform: add --platform"
                raise
            return VerifiedImage(repository=repository, digest=target.digest, signatures=found)
