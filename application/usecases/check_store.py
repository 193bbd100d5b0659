"""Verification and repair of the store."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from functools import partial

from img.application.housekeeping.inventory import Inventory
from img.application.ports.blob_store import BlobDamaged, BlobNotFound
from img.application.ports.layer_archive import InvalidLayer, LayerArchive
from img.application.ports.registry import Registry
from img.application.transfer.blobs import Transfer
from img.application.transfer.damage import check_blob
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.codec import InvalidDocument, decode_config, decode_document
from img.domain.oci.descent import descend
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.manifest import Manifest
from img.domain.oci.presence import presence_of
from img.domain.reference import ImageReference, StoredName

_AT_ONCE = 4  # blobs: hashing releases the GIL


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault in the store, repaired or not."""

    text: str
    repaired: bool = False
    is_fault: bool = True  # else it is only reported


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReport:
    """The result of a verification."""

    images: int
    blobs: int
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Return whether the store has no faults any more."""
        return all(finding.repaired or not finding.is_fault for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStore:
    """``img fsck``: verification of all blobs, of DiffIDs, and of the parts of images."""

    inventory: Inventory
    archive: LayerArchive
    registry: Registry
    transfer: Transfer

    def __call__(self, *, repair: bool = False) -> StoreReport:
        """Return the faults. ``repair`` fetches blobs again and deletes what cannot be repaired."""
        lock = self.inventory.lock
        with lock.working() if repair else lock.reading():
            return _Checking(parts=self, repair=repair).report()


@dataclass(slots=True, kw_only=True)
class _Checking:
    """One verification."""

    parts: CheckStore
    repair: bool
    findings: list[Finding] = field(default_factory=list)
    damaged: set[Digest] = field(default_factory=set)
    checked: set[Digest] = field(default_factory=set)
    layers: set[tuple[Digest, DiffID]] = field(default_factory=set)
    absent: set[Digest] = field(default_factory=set)  # platforms that an image may lack

    def report(self) -> StoreReport:
        """Verify everything."""
        blobs = list(self.parts.inventory.blobs.digests())
        with ThreadPoolExecutor(_AT_ONCE, "check") as pool:
            whole = pool.map(self._is_whole, blobs)
            self.damaged.update(
                digest for digest, good in zip(blobs, whole, strict=True) if not good
            )
        images = self.parts.inventory.images.list()
        for image in images:
            self._image(image.name, image.target)
        for digest in sorted(self.damaged - self.checked):
            self._useless(digest)
        self._records()
        self._indexes()
        return StoreReport(images=len(images), blobs=len(blobs), findings=tuple(self.findings))

    def _is_whole(self, digest: Digest) -> bool:
        try:
            check_blob(self.parts.inventory.blobs, digest)
        except BlobDamaged:
            return False
        except BlobNotFound:
            pass  # deleted meanwhile
        return True

    def _image(self, name: StoredName, target: Descriptor) -> None:
        """Check the parts of the image ``name``."""
        try:
            self._absent(name, target)
            for _ in descend(target, partial(self._entries, name)):
                pass
        except InvalidDocument as error:
            self._found(f"{name}: {error.message}")

    def _absent(self, name: StoredName, target: Descriptor) -> None:
        """Report the missing platforms of an image with other platforms in the store."""
        if target.media_type not in media_types.INDEXES:
            return
        read, size = self.parts.inventory.read, self.parts.inventory.blobs.size
        here = presence_of(
            target,
            lambda document: read(document.digest),
            lambda blob: size(blob.digest) is not None,
        )
        if here.images:
            for each in here.absent:
                if size(each.digest) is not None and each.digest not in self.damaged:
                    self.absent.add(each.digest)
                    text = f"{name}: not all of {each.platform or each.digest} is here"
                    self.findings.append(Finding(text, is_fault=False))

    def _entries(self, name: StoredName, target: Descriptor) -> list[Descriptor]:
        """Check a manifest, or return the stored entries of an index."""
        content = self._document(name, target)
        if content is None or target.media_type not in media_types.MANIFESTS | media_types.INDEXES:
            return []
        try:
            document = decode_document(content)
        except InvalidDocument as error:
            self._found(f"{name}: {error.message}")
            return []
        if isinstance(document, Index):
            sizes = self.parts.inventory.blobs
            return [
                entry
                for entry in document.manifests
                if entry.digest not in self.absent
                and (sizes.size(entry.digest) is not None or entry.digest in self.damaged)
            ]
        self._manifest(name, document)
        return []

    def _manifest(self, name: StoredName, document: Manifest) -> None:
        config = self._document(name, document.config)
        if config is not None and document.config.media_type in media_types.CONFIGS:
            self._layers(name, config, document.layers)

    def _layers(self, name: StoredName, config: bytes, layers: Sequence[Descriptor]) -> None:
        try:
            diff_ids = decode_config(config).diff_ids
        except InvalidDocument as error:
            self._found(f"{name}: {error.message}")
            return
        if len(diff_ids) != len(layers):
            self._found(f"{name}: {len(layers)} layers, but its config names {len(diff_ids)}")
            return
        for layer in map(Layer, diff_ids, layers):
            if (layer.descriptor.digest, layer.diff_id) not in self.layers:
                self.layers.add((layer.descriptor.digest, layer.diff_id))
                self._layer(name, layer)

    def _layer(self, name: StoredName, layer: Layer) -> None:
        problem = self._problem(layer.descriptor)
        if problem is None:
            if layer.descriptor.media_type in media_types.LAYERS:  # not that of an attestation
                self._contents(name, layer)
        elif problem != _ABSENT or not layer.descriptor.urls:
            self._again(name, layer.descriptor, problem, self._fetched_layer(name, layer))

    def _contents(self, name: StoredName, layer: Layer) -> None:
        try:
            with self.parts.inventory.blobs.open(layer.descriptor.digest) as blob:
                diff_id, index = self.parts.archive.index(blob, layer.descriptor.digest)
        except InvalidLayer as error:
            self._found(f"{name}: layer {layer.descriptor.digest}: {error.message}")
            return
        if diff_id != layer.diff_id:
            text = f"{name}: layer {layer.descriptor.digest} unpacks to {diff_id}"
            self._found(f"{text}, not {layer.diff_id}")
            return
        known = self.parts.inventory.indexes.get(diff_id)
        if known is not None and list(known) != list(index):
            if self.repair:
                self.parts.inventory.indexes.put(diff_id, index)
            self._found(f"{name}: list of the files of layer {diff_id} is wrong", self.repair)

    def _document(self, name: StoredName, blob: Descriptor) -> bytes | None:
        problem = self._problem(blob)
        if problem is not None:
            self._again(name, blob, problem, self._fetched_document(name, blob))
        return self.parts.inventory.read(blob.digest)

    def _problem(self, blob: Descriptor) -> str | None:
        self.checked.add(blob.digest)
        size = self.parts.inventory.blobs.size(blob.digest)
        if size is None:
            return _ABSENT
        if blob.digest in self.damaged:
            return "is damaged"
        return None if size == blob.size else f"has {size} bytes, not {blob.size}"

    def _again(
        self, name: StoredName, blob: Descriptor, problem: str, attempts: Iterator[None]
    ) -> None:
        """Try all ways to fetch a blob until one succeeds."""
        text = f"{name}: blob {blob.digest} {problem}"
        if not self.repair:
            self._found(text)
            return
        self._drop(blob.digest)
        for _ in attempts:
            if self.parts.inventory.blobs.size(blob.digest) == blob.size:
                self._found(f"{text}; fetched again", repaired=True)
                return
        self._found(f"{text}; not to be had again: pull or build the image")

    def _fetched_layer(self, name: StoredName, layer: Layer) -> Iterator[None]:
        for place in self._places(name, layer.descriptor.digest):
            try:
                self.parts.transfer.pull_layers(place, [layer])
            except ImgError:
                continue
            yield

    def _fetched_document(self, name: StoredName, blob: Descriptor) -> Iterator[None]:
        for place in self._places(name, blob.digest):
            try:
                if blob.media_type in media_types.MANIFESTS | media_types.INDEXES:
                    content = self.parts.registry.manifest(place.with_digest(blob.digest), blob)
                    self.parts.transfer.store(content, blob)
                else:
                    self.parts.transfer.pull_blob(place, blob)
            except ImgError:
                continue
            yield

    def _places(self, name: StoredName, digest: Digest) -> list[ImageReference]:
        known = self.parts.transfer.origins.repositories(digest)
        own = (name.repository,) if isinstance(name, ImageReference) else ()
        repositories = dict.fromkeys((*known, *own))
        return [ImageReference.parse(each, default_tag=False) for each in repositories]

    def _useless(self, digest: Digest) -> None:
        if self.repair:
            self._drop(digest)
        self._found(f"blob {digest} of the build cache is damaged", self.repair)

    def _records(self) -> None:
        blobs = self.parts.inventory.blobs
        lost = [
            key
            for key, record in self.parts.inventory.cache.records()
            if record.layer is not None
            and blobs.size(record.layer.descriptor.digest) is None
            and not self.parts.transfer.origins.repositories(record.layer.descriptor.digest)
        ]
        if lost and self.repair:
            self.parts.inventory.cache.remove(lost)

    def _indexes(self) -> None:
        indexes = self.parts.inventory.indexes
        for diff_id in list(indexes.diff_ids()):
            if indexes.get(diff_id) is None:
                if self.repair:
                    indexes.remove(diff_id)
                self._found(f"list of the files of layer {diff_id} cannot be read", self.repair)

    def _drop(self, digest: Digest) -> None:
        facts = self.parts.inventory.trash.facts(digest)
        if digest in self.damaged and facts is not None and facts.ours:
            self.parts.inventory.blobs.remove(digest)

    def _found(self, text: str, repaired: bool = False) -> None:
        self.findings.append(Finding(text, repaired))


_ABSENT = "is missing"
