"""What a registry gets of an image that is stored here."""

from collections.abc import Sequence

from img.application.catalog import Catalog
from img.application.damage import drop_damaged
from img.application.fetch import reporting
from img.application.ports.blob_store import BlobDamaged, BlobNotFound
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

    def __call__(
        self, target: Descriptor, *names: ImageReference, nondistributable: bool = False
    ) -> Digest:
        """Return the digest under which registries have ``target``, a manifest or an index.

        A name with a digest gives it no tag. A further tag of a repository costs one request.
        Layers that may not be distributed are left where they are, unless ``nondistributable``.
        Raises BlobNotFound, BlobDamaged, Unauthorized, RegistryError.
        """
        repositories: dict[str, list[ImageReference]] = {}
        for name in names:
            repositories.setdefault(name.repository, []).append(name)
        for tags in repositories.values():
            self._publish_whole(target, tags, nondistributable=nondistributable)
        return target.digest

    def _publish_whole(
        self, target: Descriptor, tags: Sequence[ImageReference], *, nondistributable: bool
    ) -> None:
        """Let one repository have it; what is damaged here is looked for elsewhere."""
        damaged: dict[Digest, BlobDamaged] = {}
        while True:
            try:
                return self._publish(target, tags, nondistributable=nondistributable)
            except BlobDamaged as error:
                if not drop_damaged(self.transfer.blobs, error.digest):
                    raise
                damaged[error.digest] = error
            except BlobNotFound as error:
                raise damaged.get(error.digest, error) from None

    def _publish(
        self, target: Descriptor, tags: Sequence[ImageReference], *, nondistributable: bool
    ) -> None:
        """Let one repository have it."""
        manifests = self.catalog.manifests(target)
        repository = tags[0]
        with reporting(self.progress, f"push {repository.familiar}", repository) as report:
            for manifest in manifests:
                blobs = decode_manifest(self.catalog.read(manifest)).blobs
                wanted = [blob for blob in blobs if nondistributable or not blob.is_foreign]
                self.transfer.push_blobs(repository, wanted, report)
            # Last: a registry may refuse a manifest whose blobs it lacks
            # (distribution-spec, "Pushing Manifests").
            if target.media_type in media_types.INDEXES:
                for manifest in manifests:
                    self._put(repository.with_digest(manifest.digest), manifest)
            for tag in tags:
                self._put(tag, target)

    def _put(self, reference: ImageReference, document: Descriptor) -> None:
        self.registry.push_manifest(reference, self.catalog.read(document), document.media_type)
