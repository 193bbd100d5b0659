"""Finding stored images by name, ID or digest."""

from collections.abc import Iterator, Sequence

from img.application.ports.image_store import ImageNotFound, ImageStore, StoredImage
from img.application.transfer.catalog import Catalog
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.image_name import LEAST_DIGITS, AmbiguousImage, ImageName
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference

_SHOWN_DIGITS = 12  # as docker shows an ID


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """A manifest or index in the store, and its names."""

    target: Descriptor
    stored: tuple[StoredImage, ...]  # none for a part of an index
    part_of: StoredImage | None = None  # the image of that index
    by_name: bool = False  # ``stored`` is the one image with exactly that name

    @property
    def references(self) -> tuple[ImageReference, ...]:
        """The names, sorted."""
        return tuple(image.reference for image in self.stored if image.reference)

    def reference_for(self, name: ImageName) -> ImageReference | None:
        """Return the reference of the image at registries, None if it was found by an ID."""
        if self.by_name or not name.digits:
            return name.reference
        return None


@dataclass(frozen=True, slots=True)
class _Match:
    """A document of an image with a matching digest."""

    id: Digest  # the image's ID
    target: Descriptor
    image: StoredImage

    @property
    def is_part(self) -> bool:
        return self.target.digest != self.image.target.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class FindImage:
    """Finds images by a name, an ID, a digest, or the beginning of one of the last two."""

    images: ImageStore
    catalog: Catalog

    def __call__(self, name: ImageName) -> FoundImage:
        """Return the image; an exact name has precedence. Raises ImageNotFound, AmbiguousImage."""
        if name.reference is not None:
            try:
                image = self.images.get(name.reference)
                return FoundImage(target=image.target, stored=(image,), by_name=True)
            except ImageNotFound:
                if not name.digits and name.reference.digest is None:
                    raise
        matches = list(self._matches(name))
        ids = dict.fromkeys(match.id for match in matches)
        if not ids:
            raise ImageNotFound(name.reference or name.text)
        if name.digits and (len(ids) > 1 or len(name.digits) < LEAST_DIGITS):
            raise AmbiguousImage(name.text, [_shown(id_, matches) for id_ in ids])
        return _found(matches)

    def id_of(self, target: Descriptor, manifest: Manifest | None = None) -> Digest:
        """Return the ID of the image at ``target``; ``manifest`` is its manifest, if it was read.

        Raises BlobNotFound, InvalidDocument …
        """
        if target.media_type in media_types.INDEXES:
            return target.digest
        return (manifest or self.catalog.manifest(target)).config.digest

    def _matches(self, name: ImageName) -> Iterator[_Match]:
        """Yield the matches, an image before its parts."""
        for image in self.images.list():
            for target in self._documents(image.target):
                try:
                    id_ = self.id_of(target)
                except ImgError:
                    id_ = target.digest  # the image is damaged; the digest of the manifest is known
                if _fits(name, image, target.digest, id_):
                    yield _Match(id_, target, image)

    def _documents(self, target: Descriptor) -> Sequence[Descriptor]:
        """Return an index and its manifests, or the manifest."""
        try:
            parts = self.catalog.manifests(target)
        except ImgError:
            parts = ()
        return tuple({each.digest: each for each in (target, *parts)}.values())


def _fits(name: ImageName, image: StoredImage, digest: Digest, id_: Digest) -> bool:
    if name.digits:
        return name.may_be(digest) or name.may_be(id_)
    wanted, known = name.reference, image.reference
    assert wanted is not None
    return known is not None and known.repository == wanted.repository and digest == wanted.digest


def _found(matches: Sequence[_Match]) -> FoundImage:
    """Return the image of ``matches`` with one ID; images have precedence over parts."""
    whole = [match for match in matches if not match.is_part]
    first = (whole or matches)[0]
    return FoundImage(
        target=first.target,
        stored=tuple(match.image for match in whole),
        part_of=None if whole else first.image,
    )


def _shown(id_: Digest, matches: Sequence[_Match]) -> str:
    names = dict.fromkeys(
        match.image.reference.familiar
        for match in matches
        if match.id == id_ and match.image.reference
    )
    return f"{id_.encoded[:_SHOWN_DIGITS]} ({', '.join(names) or '<none>'})"
