"""What the state holds, and what of it could go."""

from collections.abc import Iterator, Sequence

from img.application.catalog import Catalog
from img.application.housekeeping import Collect
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError


@dataclass(frozen=True, slots=True)
class UsedItem:
    """A blob or a snapshot: how large it is, whether an image needs it, what it is."""

    id: str
    reclaimable: bool
    size: int  # bytes
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUsage:
    """Lists blobs and unpacked layers."""

    collect: Collect
    catalog: Catalog

    def __call__(self, containing: str = "") -> Sequence[UsedItem]:
        """Return what is here whose id or description contains ``containing``; largest first."""
        items = [*self._blobs(), *self._snapshots()]
        found = [i for i in items if containing in i.id or containing in i.description]
        return sorted(found, key=lambda item: (-item.size, item.id))

    def _blobs(self) -> Iterator[UsedItem]:
        known = self._descriptions()
        free = self.collect.garbage(with_cache=True).blobs
        for digest in self.collect.blobs.digests():
            size = self.collect.blobs.size(digest) or 0
            description = known.get(digest, "left over")
            yield UsedItem(_short(digest), digest in free, size, description)

    def _snapshots(self) -> Iterator[UsedItem]:
        for chain_id in self.collect.snapshotter.chain_ids():
            size = self.collect.snapshotter.usage(chain_id)
            yield UsedItem(_short(chain_id), True, size, "unpacked layers")

    def _descriptions(self) -> dict[Digest, str]:
        known: dict[Digest, str] = {}
        for _, record in self.collect.cache.records():
            if record.layer is not None:
                known[record.layer.descriptor.digest] = record.description
        for image in self.collect.images.list():
            name = str(image.reference)
            known.setdefault(image.target.digest, f"image {name}")
            try:
                for manifest in self.catalog.manifests(image.target):
                    known.setdefault(manifest.digest, f"manifest of {name}")
                    document = self.catalog.manifest(manifest)
                    known.setdefault(document.config.digest, f"config of {name}")
                    for layer in document.layers:
                        known.setdefault(layer.digest, f"pulled from {name}")
            except ImgError:
                continue  # a damaged image: `img ls` says so
        return known


def _short(digest: Digest) -> str:
    return digest.encoded[:25]
