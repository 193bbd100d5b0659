"""Names of images in the stores of other users, which img only reads."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial

from img.application.log import logger
from img.application.ports.blob_store import BlobNotFound, BlobStore
from img.application.ports.image_store import ImageNotFound, ImageStore, StoredImage
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.json_text import MOST_BYTES
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index, decode_manifest
from img.domain.oci.descent import descend
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import StoredName

log = logger("shared_store")


class WithSharedImages(ImageStore):
    """The user's own names, and behind them those of shared stores.

    Only own names are listed, changed and removed. The documents of an image that gets an own name
    become the user's, so that it can be listed without the shared store.
    """

    def __init__(
        self,
        own: ImageStore,
        shared: Sequence[ImageStore],
        blobs: BlobStore,
        adopt: Callable[[Digest], None],
    ) -> None:
        """``blobs`` has the blobs of all stores; ``adopt`` copies one into the user's own."""
        self._own = own
        self._shared = shared
        self._blobs = blobs
        self._adopt = adopt

    def get(self, name: StoredName) -> StoredImage:
        try:
            return self._own.get(name)
        except ImageNotFound:
            for store in self._shared:
                try:
                    return store.get(name)
                except ImageNotFound:
                    continue
                except ImgError as error:
                    log.warning("unreadable shared store", reason=error.message)
            raise

    def put(self, name: StoredName, target: Descriptor, now: datetime) -> StoredImage:
        for digest in _documents(self._blobs, target):
            self._adopt(digest)
        return self._own.put(name, target, now)

    def remove(self, name: StoredName) -> None:
        self._own.remove(name)

    def list(self) -> Sequence[StoredImage]:
        return self._own.list()

    def targets(self) -> Sequence[Descriptor]:
        return self._own.targets()


def _documents(blobs: BlobStore, target: Descriptor) -> Iterator[Digest]:
    """Yield the digests of the stored indexes, manifests and configs of an image.

    Raises InvalidDocument.
    """
    for each in descend(target, partial(_entries, blobs)):
        if (content := _stored(blobs, each)) is None:  # a platform that is not stored
            continue
        yield each.digest
        if each.media_type in media_types.MANIFESTS:
            config = decode_manifest(content).config.digest
            if blobs.size(config) is not None:
                yield config


def _entries(blobs: BlobStore, document: Descriptor) -> Sequence[Descriptor]:
    if document.media_type not in media_types.INDEXES:
        return ()
    content = _stored(blobs, document)
    return () if content is None else decode_index(content).manifests


def _stored(blobs: BlobStore, document: Descriptor) -> bytes | None:
    try:
        with blobs.open(document.digest) as file:
            return file.read(MOST_BYTES)
    except BlobNotFound:
        return None
