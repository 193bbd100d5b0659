"""Presence of images in a store: an index may name absent blobs (image-spec image-layout.md)."""

from collections.abc import Callable

from img.domain.dataclass import dataclass
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, decode_manifest
from img.domain.oci.descent import descend
from img.domain.oci.descriptor import Descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """The manifests at or below a document, each once, by whether they are complete here.

    Entries of an index that are neither manifests nor indexes are in none of the fields.
    """

    whole: tuple[Descriptor, ...]  # with all blobs that they name, except foreign layers
    absent: tuple[Descriptor, ...]  # also absent indexes
    indexes: tuple[Descriptor, ...]  # present ones, each after the indexes below it

    @property
    def images(self) -> tuple[Descriptor, ...]:
        """The complete manifests, without attestations."""
        return tuple(each for each in self.whole if not each.is_attestation)


def presence_of(
    target: Descriptor,
    read: Callable[[Descriptor], bytes | None],
    has: Callable[[Descriptor], bool],
) -> Presence:
    """Return the presence of ``target``.

    ``read`` returns a document, None for an absent one; ``has`` returns whether a blob is present.
    Raises InvalidDocument, and the errors of both.
    """
    whole: list[Descriptor] = []
    absent: list[Descriptor] = []

    def below(document: Descriptor) -> tuple[Descriptor, ...]:
        if document.media_type not in media_types.MANIFESTS | media_types.INDEXES:
            return ()
        content = read(document)
        if content is None:
            absent.append(document)
        elif document.media_type in media_types.INDEXES:
            return decode_index(content).manifests
        else:
            blobs = decode_manifest(content).blobs
            is_whole = all(blob.urls or has(blob) for blob in blobs)
            (whole if is_whole else absent).append(document)
        return ()

    documents = list(descend(target, below))
    missing = {each.digest for each in absent}
    indexes = [each for each in documents if each.media_type in media_types.INDEXES]
    return Presence(
        whole=tuple(whole),
        absent=tuple(absent),
        indexes=tuple(each for each in indexes if each.digest not in missing),
    )
