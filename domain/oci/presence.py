"""Which images below a document are here: an index may name what is not (image-layout.md)."""

from collections.abc import Callable

from img.domain.dataclass import dataclass
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, decode_manifest
from img.domain.oci.descent import descend
from img.domain.oci.descriptor import Descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """The manifests at or below a document, each once: those that are here whole, and the others.

    Entries of an index that are neither manifests nor indexes count in neither.
    """

    whole: tuple[Descriptor, ...]  # with all that they name, but layers that stay elsewhere
    absent: tuple[Descriptor, ...]  # also indexes that are not here
    indexes: tuple[Descriptor, ...]  # that are here, each after those below it

    @property
    def images(self) -> tuple[Descriptor, ...]:
        """Those that are whole, without attestations."""
        return tuple(each for each in self.whole if not each.is_attestation)


def presence_of(
    target: Descriptor,
    read: Callable[[Descriptor], bytes | None],
    has: Callable[[Descriptor], bool],
) -> Presence:
    """Return what is here of ``target``.

    ``read`` returns a document, None for one that is not here; ``has`` tells whether a blob is
    here. Raises InvalidDocument, and what they raise.
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
