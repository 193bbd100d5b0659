"""The difference between two images of the store."""

from collections.abc import Collection, Sequence

from img.application.packages.find import FindPackages, UnreadRecord
from img.application.ports.state_lock import StateLock
from img.application.transfer.catalog import Catalog, Image
from img.application.transfer.find_image import FindImage
from img.domain.dataclass import dataclass
from img.domain.image_difference import (
    Difference,
    config_differences,
    file_differences,
    package_differences,
)
from img.domain.image_name import ImageName
from img.domain.json_text import parse_json
from img.domain.platform import WantedPlatform

PARTS = ("config", "packages", "files")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageComparison:
    """The differences between two images."""

    sizes: tuple[int, int]  # bytes, as stored
    layers: tuple[int, int]
    common_layers: int  # from the lowest up
    config: Sequence[Difference]
    packages: Sequence[Difference]
    files: Sequence[Difference]
    unread: Sequence[UnreadRecord]  # records of packages in either image


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareImages:
    """``img diff``."""

    find: FindImage
    catalog: Catalog
    packages: FindPackages
    lock: StateLock

    def __call__(
        self,
        before: ImageName,
        after: ImageName,
        platform: WantedPlatform,
        *,
        parts: Collection[str] = PARTS,
    ) -> ImageComparison:
        """Return the difference between two images; of ``PARTS`` only those in ``parts``.

        Raises ImageNotFound, AmbiguousImage, BlobNotFound, NoPlatformMatch, InvalidLayer …
        """
        with self.lock.reading():
            old, new = (
                self.catalog.image(self.find(name).target, platform) for name in (before, after)
            )
            unread, packages = self._packages(old, new) if "packages" in parts else ([], [])
            return ImageComparison(
                sizes=(old.size, new.size),
                layers=(len(old.layers), len(new.layers)),
                common_layers=_common(old, new),
                config=self._configs(old, new) if "config" in parts else (),
                packages=packages,
                files=self._files(old, new) if "files" in parts else (),
                unread=unread,
            )

    def _packages(
        self, old: Image, new: Image
    ) -> tuple[Sequence[UnreadRecord], Sequence[Difference]]:
        one, other = self.packages(old.layers), self.packages(new.layers)
        unread = dict.fromkeys((*one.unread, *other.unread))
        return [*unread], [*package_differences(one.packages, other.packages)]

    def _configs(self, old: Image, new: Image) -> Sequence[Difference]:
        return [*config_differences(self._config(old), self._config(new))]

    def _files(self, old: Image, new: Image) -> Sequence[Difference]:
        trees = self.packages.trees
        return [*file_differences(trees.of(old.layers), trees.of(new.layers))]

    def _config(self, image: Image) -> dict[str, object]:
        config = parse_json(self.catalog.read(image.manifest.config))
        return config if isinstance(config, dict) else {}


def _common(old: Image, new: Image) -> int:
    pairs = zip(old.layers, new.layers, strict=False)
    count = 0
    for one, other in pairs:
        if one.diff_id != other.diff_id:
            break
        count += 1
    return count
