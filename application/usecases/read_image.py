"""Reading of stored images: documents, and files without unpacking."""

import hashlib
from collections.abc import Iterator, Sequence

from img.application.layers.trees import Trees
from img.application.ports.blob_store import BlobDamaged
from img.application.ports.state_lock import StateLock
from img.application.transfer.catalog import Catalog, Image
from img.application.transfer.find_image import FindImage
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem import paths
from img.domain.filesystem.absent import FileNotInImage, NotAFile
from img.domain.filesystem.entry import FILE, Entry
from img.domain.filesystem.glob import matching
from img.domain.image_name import ImageName
from img.domain.oci.chain import Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.platform import WantedPlatform
from img.domain.reference import ImageReference

_CHUNK = 1 << 18  # bytes
_SMALL = 16 << 20  # bytes of a file that is read into memory


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedImage:
    """An image of one platform, its names, its ID, and its documents as they are stored."""

    target: Descriptor  # of its names: the manifest, or an index
    image: Image
    id: Digest
    references: tuple[ImageReference, ...]
    manifest: bytes
    config: bytes

    @property
    def layers(self) -> Sequence[Layer]:
        """The layers, lowest first."""
        return self.image.layers


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadImage:
    """Access to an image in the store; each method holds a lease only while it runs."""

    find: FindImage
    catalog: Catalog
    trees: Trees
    lock: StateLock

    def named(self, name: ImageName, platform: WantedPlatform) -> OpenedImage:
        """Return the image with a name, ID or digest.

        Raises ImageNotFound, AmbiguousImage, BlobNotFound, NoPlatformMatch, InvalidDocument.
        """
        with self.lock.reading():
            found = self.find(name)
            return self._opened(found.target, platform, found.references)

    def at(self, target: Descriptor, platform: WantedPlatform) -> OpenedImage:
        """Return the image at ``target``; it need not have a name.

        Raises BlobNotFound, NoPlatformMatch, InvalidDocument.
        """
        with self.lock.reading():
            return self._opened(target, platform, ())

    def entry(self, opened: OpenedImage, path: str, *, follow: bool) -> Entry:
        """Return the entry at ``path``; links are followed, at its end only with ``follow``.

        Raises FileNotInImage, TooManyLinks.
        """
        with self.lock.reading():
            tree = self.trees.of(opened.layers)
            place = tree.resolve(path, follow=follow)
            entry = tree.get(place)
        if entry is None:
            raise FileNotInImage(paths.clean(path))
        return entry._replace(path=place)

    def glob(self, opened: OpenedImage, pattern: str) -> Sequence[Entry]:
        """Return the entries with matching paths (domain/filesystem/glob.py), sorted by path."""
        with self.lock.reading():
            return list(matching(self.trees.of(opened.layers), pattern))

    def content(self, opened: OpenedImage, path: str) -> Iterator[bytes]:
        """Yield the parts of a regular file; links are followed.

        Raises FileNotInImage, NotAFile, TooManyLinks, BlobDamaged.
        """
        entry = self.entry(opened, path, follow=True)
        if entry.kind != FILE:
            raise NotAFile(entry.path)
        if not entry.size:
            return
        with self.lock.reading():
            layer = opened.layers[self.trees.of(opened.layers).layer_of(entry.path)]
            if entry.size <= _SMALL:
                yield self.trees.read_entry(layer, entry)
                return
            found = hashlib.sha256()
            with self.trees.layers.open(layer) as blob:
                for _, content in self.trees.archive.contents(blob, {entry.offset: entry.size}):
                    while chunk := content.read(_CHUNK):
                        found.update(chunk)
                        yield chunk
            # The blob is not read to its end, so its own digest is not verified.
            if entry.digest and found.hexdigest() != entry.digest:
                raise BlobDamaged(layer.descriptor.digest)

    def _opened(
        self, target: Descriptor, platform: WantedPlatform, references: tuple[ImageReference, ...]
    ) -> OpenedImage:
        image = self.catalog.image(target, platform)
        return OpenedImage(
            target=target,
            image=image,
            id=self.find.id_of(target),
            references=references,
            manifest=self.catalog.read(image.target),
            config=self.catalog.read(image.manifest.config),
        )
