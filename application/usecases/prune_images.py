"""Removing images that nobody has a name for, or all."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from img.application.housekeeping import Collect
from img.application.ports.image_store import ImageNotFound, ImageStore
from img.application.usecases.list_images import ListedImage, ListImages
from img.domain.dataclass import dataclass
from img.domain.image_filter import ImageFilter
from img.domain.platform import Platform
from img.domain.retention import live_in


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneImages:
    """Removes images as ``docker image prune`` does: those of which no name has a tag.

    img runs no containers, so that no image is in use: with ``everything`` all of them go.
    """

    images: ImageStore
    list_images: ListImages
    collect: Collect

    def __call__(
        self, platform: Platform, wanted: ImageFilter, *, everything: bool = False
    ) -> tuple[Sequence[ListedImage], int]:
        """Return the images that were removed, and about how many bytes that gave back."""
        if not everything:
            wanted = replace(wanted, dangling=True)
        removed = self.list_images(platform, wanted)
        if not removed:
            return [], 0
        inventory = self.collect.inventory
        targets = [listed.image.target for listed in removed]
        freed = live_in(images=targets, layers=[], read=inventory.read)
        before = inventory.estimate()
        for listed in removed:
            with suppress(ImageNotFound):  # another process was quicker
                self.images.remove(listed.image.name)
        self.collect.unneeded(freed)
        return removed, max(before - inventory.estimate(), 0)
