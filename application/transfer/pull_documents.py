"""Copying of manifests and configs from registries into the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import Registry, RegistryError
from img.application.transfer.blobs import Transfer
from img.application.transfer.catalog import Image
from img.application.transfer.download import Report
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.codec import decode_config, decode_manifest
from img.domain.oci.descent import manifest_for
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import DECRYPT_FIRST
from img.domain.options.remote_cache import RemotePlace
from img.domain.platform import Platform
from img.domain.progress import VertexDone, VertexFailed, VertexStarted, VertexStatus
from img.domain.reference import ImageReference, may_name

if TYPE_CHECKING:
    from img.domain.options.cluster_store import ClusterStore


@dataclass(frozen=True, slots=True)
class Fetched:
    """An image of one platform, and the target of its name in the store.

    The target is the manifest of the image; for a name with the digest of an index it is that
    index, of which other platforms are not stored.
    """

    image: Image
    target: Descriptor


def fetch_image(
    registry: Registry, transfer: Transfer, reference: ImageReference, platform: Platform
) -> Fetched:
    """Return the image for ``platform`` after storing its documents; fetch no layer.

    The repository is recorded as the origin of the layers.

    Raises ManifestUnknown, Unauthorized, RegistryError, BlobMismatch, NoPlatformMatch,
    InvalidDocument.
    """
    resolved = registry.resolve(reference)
    target, content = manifest_for(
        resolved, platform, lambda document: transfer.pull_document(reference, document)
    )
    if target.media_type not in media_types.MANIFESTS:
        raise RegistryError(f"{reference.familiar} is no image but {target.media_type}")
    manifest = decode_manifest(content)
    if manifest.config.media_type not in media_types.CONFIGS:
        raise RegistryError(f"{reference.familiar} is no image but {manifest.config.media_type}")
    if encryption := manifest.encryption:
        raise RegistryError(f"{reference.familiar} is encrypted: {encryption}", hint=DECRYPT_FIRST)
    config = decode_config(transfer.pull_blob(reference, manifest.config))
    if len(config.diff_ids) != len(manifest.layers):
        raise RegistryError(
            f"{reference.familiar} is broken: {len(manifest.layers)} layers, "
            f"{len(config.diff_ids)} diff_ids"
        )
    transfer.origins.add(reference.repository, [blob.digest for blob in manifest.blobs])
    target = Descriptor(media_type=target.media_type, digest=target.digest, size=len(content))
    image = Image(target=target, manifest=manifest, config=config)
    if may_name(reference, target.digest):
        return Fetched(image, target)
    size = transfer.blobs.size(resolved.digest)  # the size from the registry may be wrong
    assert size is not None
    return Fetched(
        image, Descriptor(media_type=resolved.media_type, digest=resolved.digest, size=size)
    )


@contextmanager
def reporting(
    progress: ProgressSink, name: str, source: "ImageReference | RemotePlace | ClusterStore"
) -> Iterator[Report]:
    """Show a transfer as one vertex; enter with a callback for the progress of its blobs."""
    vertex = f"{name} {source}"
    progress.emit(VertexStarted(vertex=vertex, name=name))

    def report(blob: Descriptor, current: int, done: bool) -> None:
        progress.emit(
            VertexStatus(
                vertex=vertex, item=str(blob.digest), current=current, total=blob.size, done=done
            )
        )

    try:
        yield report
    except ImgError as error:
        progress.emit(VertexFailed(vertex=vertex, message=error.message))
        raise
    progress.emit(VertexDone(vertex=vertex))
