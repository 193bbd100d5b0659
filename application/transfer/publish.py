"""Pushing of stored images to registries."""

from collections.abc import Sequence

from img.application.ports.blob_store import BlobDamaged, BlobNotFound
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import ManifestUnknown, Registry
from img.application.transfer.blobs import Transfer
from img.application.transfer.catalog import Catalog
from img.application.transfer.damage import drop_damaged
from img.application.transfer.pull_documents import reporting
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import NotFoundError
from img.domain.oci import media_types
from img.domain.oci.codec import decode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.presence import Presence
from img.domain.reference import ImageReference


class PlatformsAbsent(NotFoundError):
    """The store lacks parts of an image of several platforms, so it cannot be pushed."""

    def __init__(self, name: ImageReference, absent: Sequence[Descriptor]) -> None:
        super().__init__(
            f"cannot push {name.familiar}: not here, nor at {name.domain}: {_names_of(absent)}",
            hint="load an archive that has them, or build or pull the image again",
        )
        self.name = name
        self.absent = absent


@dataclass(frozen=True, slots=True)
class Published:
    """The pushed manifest or index, and the parts of the image that were left out."""

    target: Descriptor
    left_out: tuple[Descriptor, ...] = ()

    @property
    def digest(self) -> Digest:
        """The digest in the registry."""
        return self.target.digest

    def difference_from(self, name: str) -> str:
        """Return a sentence about pushed and missing parts, "" if no part was left out."""
        return (
            f"of {name} only {_names_of([self.target])} is here and was pushed, as {self.digest}; "
            f"left out: {_names_of(self.left_out)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishImage:
    """Uploads of missing blobs, and then of the documents that name them.

    An index is pushed whole. Parts that are not stored may be in the registry already; if they are
    not, and the store has one image of the index, only that is pushed, as in docker (moby#48737).
    """

    registry: Registry
    transfer: Transfer
    catalog: Catalog
    progress: ProgressSink

    def __call__(
        self,
        target: Descriptor,
        *names: ImageReference,
        nondistributable: bool = False,
        partially: bool = True,
    ) -> Published:
        """Push ``target``, a manifest or an index, under ``names`` and return the result.

        A name with a digest sets no tag. A further tag of a repository costs one request. Layers
        that must not be distributed are pushed only with ``nondistributable``. Without
        ``partially`` an index with missing parts is refused. Raises PlatformsAbsent, BlobNotFound,
        BlobDamaged, Unauthorized, RegistryError.
        """
        present = self._presence(target)
        left_out = self._left_out(present, names, partially=partially)
        if left_out:
            target = present.images[0]
            present = self._presence(target)
        repositories: dict[str, list[ImageReference]] = {}
        for name in names:
            repositories.setdefault(name.repository, []).append(name)
        for tags in repositories.values():
            self._publish_whole(target, present, tags, nondistributable=nondistributable)
        return Published(target, left_out)

    def _presence(self, target: Descriptor) -> Presence:
        if target.media_type not in media_types.INDEXES:
            return Presence(whole=(target,), absent=(), indexes=())
        return self.catalog.presence(target, self._is_to_be_had)

    def _is_to_be_had(self, blob: Descriptor) -> bool:
        here = self.transfer.blobs.size(blob.digest) is not None
        return here or bool(self.transfer.origins.repositories(blob.digest))

    def _left_out(
        self, present: Presence, names: Sequence[ImageReference], *, partially: bool
    ) -> tuple[Descriptor, ...]:
        """Return the parts of an index that cannot be pushed.

        Raises PlatformsAbsent, RegistryError.
        """
        for name in names:
            absent = tuple(each for each in present.absent if not self._is_there(name, each))
            is_single = len(present.images) == 1 and not any(each.digest for each in names)
            if absent and not (partially and is_single):
                raise PlatformsAbsent(name, absent)
            if absent:
                return absent
        return ()

    def _is_there(self, name: ImageReference, manifest: Descriptor) -> bool:
        try:
            self.registry.resolve(name.with_digest(manifest.digest))
        except ManifestUnknown:
            return False
        return True

    def _publish_whole(
        self,
        target: Descriptor,
        present: Presence,
        tags: Sequence[ImageReference],
        *,
        nondistributable: bool,
    ) -> None:
        """Push to one repository; damaged blobs are fetched again."""
        damaged: dict[Digest, BlobDamaged] = {}
        while True:
            try:
                return self._publish(target, present, tags, nondistributable=nondistributable)
            except BlobDamaged as error:
                if not drop_damaged(self.transfer.blobs, error.digest):
                    raise
                damaged[error.digest] = error
            except BlobNotFound as error:
                raise damaged.get(error.digest, error) from None

    def _publish(
        self,
        target: Descriptor,
        present: Presence,
        tags: Sequence[ImageReference],
        *,
        nondistributable: bool,
    ) -> None:
        """Push to one repository."""
        repository = tags[0]
        with reporting(self.progress, f"push {repository.familiar}", repository) as report:
            for manifest in present.whole:
                blobs = decode_manifest(self.catalog.read(manifest)).blobs
                wanted = [blob for blob in blobs if nondistributable or not blob.is_foreign]
                self.transfer.push_blobs(repository, wanted, report)
            # Last: a registry may refuse a manifest with blobs that it lacks
            # (distribution-spec, "Pushing Manifests").
            for document in (*present.whole, *present.indexes):
                if document.digest != target.digest:
                    self._put(repository.with_digest(document.digest), document)
            for tag in tags:
                self._put(tag, target)

    def _put(self, reference: ImageReference, document: Descriptor) -> None:
        self.registry.push_manifest(reference, self.catalog.read(document), document.media_type)


def _names_of(documents: Sequence[Descriptor]) -> str:
    """Return parts of an index for messages: their platforms, else their digests."""
    names = (
        f"attestation {each.digest}" if each.is_attestation else each.platform or each.digest
        for each in documents
    )
    return ", ".join(map(str, names))
