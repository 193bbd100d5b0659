"""The packages of an image, as a bill of materials."""

from collections.abc import Sequence
from datetime import datetime

from img.application.packages.find import FindPackages, UnreadRecord
from img.application.ports.state_lock import StateLock
from img.application.transfer.catalog import Catalog
from img.application.transfer.find_image import FindImage
from img.domain.dataclass import dataclass
from img.domain.image_name import ImageName
from img.domain.platform import WantedPlatform
from img.domain.sbom.bill import Bill


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPackages:
    """``img sbom``."""

    find: FindImage
    catalog: Catalog
    packages: FindPackages
    lock: StateLock

    def __call__(
        self,
        name: ImageName,
        platform: WantedPlatform,
        *,
        created: datetime,
        tool_version: str,
    ) -> tuple[Bill, Sequence[UnreadRecord]]:
        """Return the bill of an image, and the records of packages that could not be read.

        Raises ImageNotFound, AmbiguousImage, BlobNotFound, NoPlatformMatch, InvalidLayer …
        """
        with self.lock.reading():
            stored = self.find(name)
            image = self.catalog.image(stored.target, platform)
            found = self.packages(image.layers)
            reference = stored.references[0] if stored.references else None
            bill = Bill(
                name=reference.familiar if reference else str(self.find.id_of(stored.target)),
                reference=reference,
                digest=image.target.digest,
                platform=image.config.platform,
                layers=[layer.descriptor.digest for layer in image.layers],
                distribution=found.distribution,
                packages=found.packages,
                created=created,
                tool_version=tool_version,
            )
            return bill, found.unread
