"""Pruning of images."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from img.application.housekeeping.collect import Collect
from img.application.ports.image_store import ImageNotFound, ImageStore
from img.application.usecases.list_images import ListedImage, ListImages
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.image_filter import ImageFilter
from img.domain.platform import Platform
from img.domain.retention import live_in


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedImages:
    """The removed images."""

    removed: Sequence[ListedImage] = ()  # a name of an image each, or an image without one
    deleted: Sequence[Digest] = ()  # IDs of images that are not stored any more
    freed: int = 0  # approximate bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneImages:
    """``img image prune``: removal of images without a tag, as in ``docker image prune``.

    img runs no containers, so no image is in use: ``everything`` removes all of them.
    """

    images: ImageStore
    list_images: ListImages
    collect: Collect

    def __call__(
        self, platform: Platform, wanted: ImageFilter, *, everything: bool = False
    ) -> PrunedImages:
        """Remove the images that are ``wanted``."""
        if not everything:
            wanted = replace(wanted, dangling=True)
        removed = self.list_images(platform, wanted)
        if not removed:
            return PrunedImages()
        inventory = self.collect.inventory
        targets = [listed.image.target for listed in removed]
        freed = live_in(images=targets, layers=[], read=inventory.read)
        before = inventory.estimate()
        for listed in removed:
            with suppress(ImageNotFound):  # another process removed it
                self.images.remove(listed.image.name)
        self.list_images.referrers.drop_orphans()
        self.collect.after_removal(freed)
        left = {_id_of(listed) for listed in self.list_images(platform)}
        return PrunedImages(
            removed=removed,
            deleted=[id_ for id_ in dict.fromkeys(map(_id_of, removed)) if id_ not in left],
            freed=max(before - inventory.estimate(), 0),
        )


def _id_of(listed: ListedImage) -> Digest:
    return listed.id or listed.image.target.digest
