"""Manifests and configs of stored images."""

from collections.abc import Callable

from img.application.ports.blob_store import BlobNotFound, BlobStore
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import NotFoundError, StateError
from img.domain.json_text import MOST_BYTES
from img.domain.oci import media_types
from img.domain.oci.chain import Layer
from img.domain.oci.codec import decode_config, decode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.oci.descent import manifest_for
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import NoPlatformMatch
from img.domain.oci.manifest import Manifest
from img.domain.oci.presence import Presence, presence_of
from img.domain.platform import DefaultPlatform, Platform, WantedPlatform


class PlatformNotHere(BlobNotFound):
    """The store lacks the image of one platform of an index."""

    def __init__(self, platform: Platform, digest: Digest) -> None:
        NotFoundError.__init__(
            self,
            f"the image for {platform} is not here: no blob {digest} in the store",
            hint="pull it, or load an archive that has it",
        )
        self.digest = digest
        self.platform = platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image of one platform: the descriptor of its manifest, the manifest, the config."""

    target: Descriptor
    manifest: Manifest
    config: ImageConfig

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, lowest first."""
        return tuple(
            Layer(diff_id, descriptor)
            for diff_id, descriptor in zip(self.config.diff_ids, self.manifest.layers, strict=True)
        )

    @property
    def size(self) -> int:
        """The bytes of manifest, config and layers as stored."""
        return size_of(self.target, self.manifest)


def size_of(target: Descriptor, manifest: Manifest) -> int:
    """Return the bytes of the manifest at ``target``, its config and its layers, as stored."""
    return target.size + sum(blob.size for blob in manifest.blobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Images in the blob store."""

    blobs: BlobStore

    def read(self, blob: Descriptor) -> bytes:
        """Return a document's bytes. Raises BlobNotFound."""
        with self.blobs.open(blob.digest) as content:
            return content.read(MOST_BYTES + 1)  # longer JSON is refused

    def manifests(self, target: Descriptor) -> tuple[Descriptor, ...]:
        """Return ``target`` if it is a manifest, or the manifests of the index ``target``.

        Manifests of an index with missing blobs are left out. Raises BlobNotFound, InvalidDocument.
        """
        if target.media_type not in media_types.INDEXES:
            return (target,)
        return self.presence(target, self._has).whole

    def presence(self, target: Descriptor, has: Callable[[Descriptor], bool]) -> Presence:
        """Return which parts of ``target`` are stored; ``has`` returns it for a blob.

        Raises BlobNotFound for ``target`` itself, InvalidDocument.
        """

        def read(document: Descriptor) -> bytes | None:
            is_needed = document.digest == target.digest
            return self.read(document) if is_needed or self._has(document) else None

        return presence_of(target, read, has)

    def _has(self, blob: Descriptor) -> bool:
        return self.blobs.size(blob.digest) is not None

    def manifest(self, target: Descriptor) -> Manifest:
        """Return the manifest at ``target``. Raises BlobNotFound, InvalidDocument."""
        return decode_manifest(self.read(target))

    def image(self, target: Descriptor, wanted: WantedPlatform) -> Image:
        """Return the image for ``wanted`` of ``target``, a manifest or an index.

        A manifest for another platform is refused if the user named one, as docker does.
        Raises BlobNotFound, PlatformNotHere, NoPlatformMatch, InvalidDocument, StateError.
        """
        platform = wanted.platform if isinstance(wanted, DefaultPlatform) else wanted
        image = self._best(target, platform)
        if isinstance(wanted, Platform) and not image.config.suits(wanted):
            raise NoPlatformMatch(wanted, (image.config.platform,))
        return image

    def _best(self, named: Descriptor, platform: Platform) -> Image:
        try:
            target, content = manifest_for(named, platform, self.read)
            return self.image_of(target, decode_manifest(content))
        except BlobNotFound as error:
            if named.media_type not in media_types.INDEXES or error.digest == named.digest:
                raise
            raise PlatformNotHere(platform, error.digest) from None

    def image_of(self, target: Descriptor, manifest: Manifest) -> Image:
        """Return the image with ``manifest``, which ``target`` describes.

        Raises BlobNotFound, InvalidDocument, StateError.
        """
        config = decode_config(self.read(manifest.config))
        if len(config.diff_ids) != len(manifest.layers):
            raise StateError(
                f"image {target.digest} has {len(manifest.layers)} layers, "
                f"but its config names {len(config.diff_ids)}",
                hint="pull or build it again",
            )
        return Image(target=target, manifest=manifest, config=config)
