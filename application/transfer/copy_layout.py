"""Copying of images from OCI layouts of other programs into the store."""

from dataclasses import replace
from functools import partial

from img.application.ports.blob_store import BlobMismatch, BlobStore
from img.application.ports.image_layout import ImageLayouts, LayoutError
from img.application.transfer.catalog import Catalog, Image
from img.domain.context_location import LayoutPlace
from img.domain.dataclass import dataclass
from img.domain.oci import media_types
from img.domain.oci.codec import decode_config, decode_manifest
from img.domain.oci.descent import manifest_for
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.layout import best_of
from img.domain.oci.manifest import DECRYPT_FIRST
from img.domain.platform import DefaultPlatform, Platform

_CHUNK = 1 << 20


class DamagedLayout(LayoutError):
    """A layout has a blob with a wrong digest."""

    def __init__(self, path: str, mismatch: BlobMismatch) -> None:
        super().__init__(f"oci-layout {path} is damaged: {mismatch.message}")
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFromLayout:
    """Copies of the images of one platform, with every blob verified."""

    layouts: ImageLayouts
    blobs: BlobStore
    catalog: Catalog

    def __call__(self, place: LayoutPlace, platform: Platform) -> Image:
        """Return the image for ``platform``, after storing it. Stored blobs are not read again.

        Raises LayoutError, NoPlatformMatch, InvalidDocument, StoreFull.
        """
        target = self._entry(place, platform)
        target, content = manifest_for(target, platform, partial(self._document, place.path))
        if target.media_type not in media_types.MANIFESTS:
            raise LayoutError(f"oci-layout {place.path} has no image but {target.media_type}")
        manifest = decode_manifest(content)
        if encryption := manifest.encryption:
            raise LayoutError(
                f"the image of oci-layout {place.path} is encrypted: {encryption}",
                hint=DECRYPT_FIRST,
            )
        for blob in manifest.blobs:
            self.blob(place.path, blob)
        return self.catalog.image(target, DefaultPlatform(platform))

    def _entry(self, place: LayoutPlace, platform: Platform) -> Descriptor:
        """Return the entry with the name that suits ``platform`` best."""
        entries = self.layouts.find(place.path, place.tag, place.digest)
        if len(entries) == 1:
            return entries[0]
        return best_of([self._with_platform(place.path, each) for each in entries], platform)

    def _with_platform(self, path: str, entry: Descriptor) -> Descriptor:
        if entry.platform is not None or entry.media_type not in media_types.MANIFESTS:
            return entry
        config = decode_manifest(self._document(path, entry)).config
        if config.media_type not in media_types.CONFIGS:
            return entry
        return replace(entry, platform=decode_config(self._document(path, config)).needs)

    def _document(self, path: str, document: Descriptor) -> bytes:
        self.blob(path, document)
        return self.catalog.read(document)

    def blob(self, path: str, blob: Descriptor) -> None:
        """Copy one blob into the store and verify it. Raises LayoutError, StoreFull."""
        if self.blobs.size(blob.digest) is not None:
            return
        writer = self.blobs.writer()
        try:
            with self.layouts.open(path, blob) as content:
                while chunk := content.read(_CHUNK):
                    writer.write(chunk)
            writer.commit(blob.digest)
        except BlobMismatch as error:
            raise DamagedLayout(path, error) from None
        finally:
            writer.abort()
