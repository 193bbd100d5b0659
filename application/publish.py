"""What a registry gets of an image that is stored here."""

from img.application.catalog import Catalog
from img.application.fetch import reporting
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import Registry
from img.application.transfer import Transfer
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.codec import decode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishImage:
    """Uploads what the registry lacks, then the documents that name it."""

    registry: Registry
    transfer: Transfer
    catalog: Catalog
    progress: ProgressSink

    def __call__(self, target: Descriptor, reference: ImageReference) -> Digest:
        """Return the digest under which the registry has ``target``, a manifest or an index.

        A reference with a digest gives it no tag. Raises BlobNotFound, Unauthorized, RegistryError.
        """
        manifests = self.catalog.manifests(target)
        with reporting(self.progress, f"push {reference.familiar}", reference) as report:
            for manifest in manifests:
                blobs = decode_manifest(self.catalog.read(manifest)).blobs
                self.transfer.push_blobs(reference, blobs, report)
            # Last: a registry may refuse a manifest whose blobs it lacks
            # (distribution-spec, "Pushing Manifests").
            if target.media_type in media_types.INDEXES:
                for manifest in manifests:
                    self._put(reference.with_digest(manifest.digest), manifest)
            return self._put(reference, target)

    def _put(self, reference: ImageReference, document: Descriptor) -> Digest:
        return self.registry.push_manifest(
            reference, self.catalog.read(document), document.media_type
        )
