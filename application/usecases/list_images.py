"""Lists of stored images."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from img.application.ports.image_store import ImageStore, StoredImage
from img.application.transfer.catalog import Catalog, Image, size_of
from img.application.transfer.find_image import FindImage
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError, UsageError
from img.domain.image_filter import ImageFacts, ImageFilter
from img.domain.image_name import ImageName
from img.domain.oci import media_types
from img.domain.oci.config import moment_of
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.platform import DefaultPlatform, Platform

if TYPE_CHECKING:
    from img.application.transfer.stored_referrers import StoredReferrers

_ALL = ImageFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedImage:
    """An image with its details; of several platforms those of this machine's."""

    image: StoredImage
    id: Digest | None  # None for a damaged image, as ``size``
    size: int | None  # bytes as stored
    created: datetime | None = None
    labels: Mapping[str, str] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListImages:
    """``img ls``: images by name, and at the end those without one."""

    images: ImageStore
    catalog: Catalog
    find: FindImage

    def __call__(self, platform: Platform, wanted: ImageFilter = _ALL) -> Sequence[ListedImage]:
        """Return the images that are ``wanted``, sorted by name, without attestations of others."""
        stored = self.images.list()
        if any(each.reference is None for each in stored):
            artifacts = self.referrers.digests()
            stored = [each for each in stored if each.target.digest not in artifacts]
        tagged = {
            image.target.digest for image in stored if image.reference and image.reference.tag
        }
        listed = [self._listed(image, platform) for image in stored]
        return [each for each in listed if wanted.matches(_facts(each, tagged))]

    @property
    def referrers(self) -> "StoredReferrers":
        """The attestations that are no images."""
        from img.application.transfer.stored_referrers import StoredReferrers  # few have them

        return StoredReferrers(images=self.images, catalog=self.catalog)

    def created(self, name: str, platform: Platform) -> datetime:
        """Return the time of creation of an image. Raises ImageNotFound, UsageError …"""
        target = self.find(ImageName.parse(name)).target
        created = moment_of(self.catalog.image(target, DefaultPlatform(platform)).config.created)
        if created is None:
            raise UsageError(f'the image "{name}" does not say when it was made')
        return created

    def _listed(self, image: StoredImage, platform: Platform) -> ListedImage:
        """Return the details of ``image``; each document is read once if possible."""
        target = image.target
        try:
            read = [(each, self.catalog.manifest(each)) for each in self.catalog.manifests(target)]
            images = [self._image_of(*each) for each in read]
            id_ = self.find.id_of(target, *(manifest for _, manifest in read[:1]))
        except ImgError:
            return ListedImage(image=image, id=None, size=None)
        shown = next(filter(None, images), None)
        if target.media_type in media_types.INDEXES:
            with suppress(ImgError):  # the image has no such platform
                shown = self.catalog.image(target, DefaultPlatform(platform))
        return ListedImage(
            image=image,
            id=id_,
            size=sum(size_of(*each) for each in read) if read else None,
            created=moment_of(shown.config.created) if shown else None,
            labels=shown.config.run.labels if shown else None,
        )

    def _image_of(self, target: Descriptor, manifest: Manifest) -> Image | None:
        """Return the image, None for an attestation or another artifact."""
        try:
            return self.catalog.image_of(target, manifest)
        except ImgError:
            if manifest.config.media_type in media_types.CONFIGS:
                raise
            return None


def _facts(listed: ListedImage, tagged: set[Digest]) -> ImageFacts:
    return ImageFacts(
        name=str(listed.image.name),
        reference=listed.image.reference,
        dangling=listed.image.target.digest not in tagged,
        labels=listed.labels,
        created=listed.created,
    )
