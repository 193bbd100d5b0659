"""Indexes that users make of images for several platforms."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from img.application.ports.blob_store import store_document
from img.application.ports.clock import Clock
from img.application.ports.image_store import ImageNotFound, ImageStore
from img.application.ports.state_lock import StateLock
from img.application.transfer.blobs import Transfer
from img.application.transfer.catalog import Catalog
from img.application.transfer.gather_image import GatherImage, OpenFile
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.image_place import ImagePlace, RegistryPlace, StoredPlace
from img.domain.oci import media_types
from img.domain.oci.codec import decode_config, decode_index, decode_manifest, encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.platform import Platform
from img.domain.reference import ImageReference


class NameTaken(UsageError):
    """The name of a new list belongs to an image."""

    def __init__(self, name: ImageReference) -> None:
        super().__init__(
            f"{name.familiar} exists already", hint="use --amend, or remove it with `img rm`"
        )
        self.name = name


class NoList(UsageError):
    """A name that belongs to an image, not to a list."""

    def __init__(self, name: ImageReference) -> None:
        super().__init__(f"{name.familiar} is one image, not a manifest list")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class EditManifestList:
    """``img manifest create`` and ``add``: an index in the store.

    The images may be in the store or anywhere else; of those in registries the documents are
    stored, and a push mounts or fetches the blobs.
    """

    gather: GatherImage
    transfer: Transfer
    catalog: Catalog
    images: ImageStore
    clock: Clock
    lock: StateLock

    def create(
        self,
        name: ImageReference,
        places: Sequence[ImagePlace],
        *,
        open_file: OpenFile,
        amend: bool = False,
    ) -> Descriptor:
        """Store the list ``name`` of the images at ``places`` and return it.

        With ``amend`` an existing list gets them as well. Raises NameTaken, NoList, and the errors
        of GatherImage.
        """
        with self.lock.working():
            added = [self._gathered(place, None, open_file) for place in places]
            with self._changing():
                try:
                    index = self._index(name)
                except ImageNotFound:
                    index = Index()
                else:
                    if not amend:
                        raise NameTaken(name)
                for entries in added:
                    index = _with(index, entries)
                return self._stored(name, index)

    def add(
        self,
        name: ImageReference,
        place: ImagePlace,
        platform: Platform | None = None,
        *,
        open_file: OpenFile,
    ) -> Descriptor:
        """Add an image to the list ``name`` and return the list.

        An entry for the same platform is replaced; ``platform`` is what the entry says, by default
        what the image says. Raises ImageNotFound, NoList, and the errors of GatherImage.
        """
        with self.lock.working():
            self._index(name)
            added = self._gathered(place, platform, open_file)
            with self._changing():
                return self._stored(name, _with(self._index(name), added))

    def _changing(self) -> AbstractContextManager[object]:
        """Let no other process change a list between reading and storing it.

        The lock is that of garbage collection, which a change holds for a moment only.
        """
        return self.lock.collecting()

    def _index(self, name: ImageReference) -> Index:
        target = self.images.get(name).target
        if target.media_type not in media_types.INDEXES:
            raise NoList(name)
        return decode_index(self.catalog.read(target))

    def _gathered(
        self, place: ImagePlace, platform: Platform | None, open_file: OpenFile
    ) -> Sequence[Descriptor]:
        """Return the entries for the image at ``place``, after storing its documents."""
        place = self._known(place)
        target = self.gather(place, None, open_file=open_file, whole=False)
        if platform is not None and target.media_type in media_types.INDEXES:
            raise UsageError(
                f"{place} is a list, and its images have platforms of their own",
                hint="leave --platform out",
            )
        return [
            replace(entry, platform=platform or entry.platform)
            for entry in self._entries(target, place)
        ]

    def _known(self, place: ImagePlace) -> ImagePlace:
        """Return the stored image with the name of ``place``, if there is one."""
        if not isinstance(place, RegistryPlace):
            return place
        try:
            self.images.get(place.reference)
        except ImageNotFound:
            return place
        return StoredPlace(ImageName.parse(str(place.reference)))

    def _entries(self, target: Descriptor, place: ImagePlace) -> Iterator[Descriptor]:
        content = self.catalog.read(target)
        if target.media_type in media_types.INDEXES:
            yield from decode_index(content).manifests
            return
        config = decode_manifest(content).config
        if config.media_type not in media_types.CONFIGS:
            raise UsageError(f"{place} is no image but {config.media_type}")
        if isinstance(place, RegistryPlace):
            self.transfer.pull_blob(place.reference, config)
        yield replace(target, platform=decode_config(self.catalog.read(config)).platform)

    def _stored(self, name: ImageReference, index: Index) -> Descriptor:
        target = store_document(self.transfer.blobs, encode_index(index), index.media_type)
        self.images.put(name, target, self.clock.now())
        return target


def _with(index: Index, added: Sequence[Descriptor]) -> Index:
    kept = [
        entry for entry in index.manifests if not any(_takes_the_place(new, entry) for new in added)
    ]
    return replace(index, manifests=(*kept, *added))


def _takes_the_place(new: Descriptor, old: Descriptor) -> bool:
    same_platform = new.platform is not None and new.platform == old.platform
    return new.digest == old.digest or (
        same_platform and not (new.is_attestation or old.is_attestation)
    )
