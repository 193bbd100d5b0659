"""OCI layouts in archives."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from img.adapters.importer.contents import Contents
from img.adapters.importer.diff_ids import DiffIds
from img.adapters.importer.docker_archive import tags_by_config
from img.adapters.importer.found_image import FoundConfig, FoundImage
from img.application.ports.blob_store import BlobStore
from img.application.ports.exporter import Decompress
from img.application.ports.importer import InvalidArchive
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.json_text import MOST_BYTES
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.codec import decode_config, decode_index, decode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.layout import (
    CONTAINERD_NAME,
    INDEX_FILE,
    LAYOUT_FILE,
    REF_NAME,
    check_layout,
    name_of,
)
from img.domain.oci.manifest import DECRYPT_FIRST
from img.domain.oci.presence import presence_of
from img.domain.oci.referrers import closure
from img.domain.reference import ImageReference, InvalidReference


def layout_images(contents: Contents, blobs: BlobStore, decompress: Decompress) -> list[FoundImage]:
    """Return the images of the layout, each once, with all its names.

    Layers have to match their configs. Parts of an index that are not in the archive are left out.
    Artifacts that refer to one of the images follow. Other entries that are no images, such as
    caches, are skipped; a layout without images is an error.

    Raises InvalidArchive, InvalidDocument.
    """
    check_layout(contents.required_document(LAYOUT_FILE))
    names: dict[Digest, dict[ImageReference, None]] = {}
    targets: dict[Digest, Descriptor] = {}
    for entry in decode_index(contents.required_document(INDEX_FILE)).manifests:
        targets.setdefault(entry.digest, _bare(entry))
        names.setdefault(entry.digest, {}).update(dict.fromkeys(_references(entry)))
    layout = _Layout(blobs, DiffIds(blobs, decompress))
    tags = tags_by_config(contents)
    images = []
    for digest, target in targets.items():
        if configs := layout.configs(target):
            more = [tag for config in configs for tag in tags.get(config.digest, ())]
            references = tuple(names[digest]) or tuple(dict.fromkeys(more))
            images.append(FoundImage(target=target, references=references, configs=configs))
    if targets and not images:
        raise InvalidArchive(f"what it holds is no image but {layout.other}")
    return [*images, *layout.artifacts(targets.values(), images)]


@dataclass(slots=True)
class _Layout:
    """The blobs of a layout, all of which are in the store."""

    blobs: BlobStore
    diff_ids: DiffIds
    other: str = ""  # the media type of an entry that is no image

    def configs(self, target: Descriptor) -> tuple[FoundConfig, ...]:
        """Return the configs of the complete parts of an image, none for other entries.

        Raises InvalidArchive if it has layers that its config does not name, or no complete part.
        """
        if target.media_type not in media_types.MANIFESTS | media_types.INDEXES:
            self.other = target.media_type
        present = presence_of(target, self._document, self._has)
        configs = [self._config(manifest) for manifest in present.whole]
        found = tuple(config for config in configs if config is not None)
        if present.absent and not found:
            raise InvalidArchive(self._problem(present.absent[0]))
        if not found and not self.other and target.media_type in media_types.INDEXES:
            entries = decode_index(self._content(target)).manifests
            self.other = entries[0].media_type if entries else "an empty index"
        return found

    def artifacts(
        self, targets: Iterable[Descriptor], images: Sequence[FoundImage]
    ) -> Iterator[FoundImage]:
        """Yield the complete manifests that refer to ``images`` or a part of one, or to these."""
        known = {image.target.digest for image in images}
        parts = {part for image in images for part in self._parts(image.target)}
        subjects = {
            target: subject
            for target in targets
            if target.digest not in known and (subject := self._subject(target)) is not None
        }
        for target in closure(parts, subjects.items()):
            yield FoundImage(target=target, references=(), configs=(), subject=subjects[target])

    def _subject(self, target: Descriptor) -> Digest | None:
        """Return the subject of a manifest, None if it has none or lacks blobs."""
        if target.media_type not in media_types.MANIFESTS or not self._has(target):
            return None
        manifest = decode_manifest(self._content(target))
        if manifest.subject is None or not all(map(self._has, manifest.blobs)):
            return None
        return manifest.subject.digest

    def _parts(self, target: Descriptor) -> Iterator[Digest]:
        present = presence_of(target, self._document, self._has)
        yield from (each.digest for each in (*present.whole, *present.indexes))

    def _config(self, target: Descriptor) -> FoundConfig | None:
        manifest = decode_manifest(self._content(target))
        if target.is_attestation:
            self.other = self.other or "an attestation"
            return None
        if manifest.config.media_type not in media_types.CONFIGS:
            self.other = manifest.artifact_type or manifest.config.media_type
            return None
        if encryption := manifest.encryption:
            problem = f"image {target.digest} is encrypted: {encryption}"
            raise InvalidArchive(problem, hint=DECRYPT_FIRST)
        config = decode_config(self._content(manifest.config))
        if len(config.diff_ids) != len(manifest.layers):
            raise InvalidArchive(
                f"manifest {target.digest} has {len(manifest.layers)} layers, "
                f"but its config names {len(config.diff_ids)}"
            )
        for layer in map(Layer, config.diff_ids, manifest.layers):
            self._check(layer)
        return FoundConfig(digest=manifest.config.digest, platform=target.platform or config.needs)

    def _check(self, layer: Layer) -> None:
        """Raise an error for an existing layer that does not match its config."""
        blob, wanted = layer.descriptor, layer.diff_id
        if blob.media_type not in media_types.LAYERS or not self._has(blob):
            return
        is_plain = media_types.oci_layer_type(blob.media_type) == media_types.OCI_LAYER
        if is_plain and blob.digest.algorithm == wanted.algorithm:
            found = DiffID(blob.digest)
        else:
            found = self.diff_ids.of(blob.digest, wanted.algorithm)
        if found != wanted:
            raise InvalidArchive(
                f"layer {blob.digest} unpacks to {found}, not {wanted} as its config says"
            )

    def _document(self, target: Descriptor) -> bytes | None:
        return self._content(target) if self._has(target) else None

    def _content(self, blob: Descriptor) -> bytes:
        with self.blobs.open(blob.digest) as content:
            return content.read(MOST_BYTES + 1)  # longer JSON is refused

    def _has(self, blob: Descriptor) -> bool:
        size = self.blobs.size(blob.digest)
        if size not in (None, blob.size):
            problem = f"blob {blob.digest} has {size} bytes, not {blob.size} as promised"
            raise InvalidArchive(problem)
        return size is not None

    def _problem(self, absent: Descriptor) -> str:
        """Return the missing part of a manifest or index."""
        missing = [absent]
        if self._has(absent) and absent.media_type in media_types.MANIFESTS:
            blobs = decode_manifest(self._content(absent)).blobs
            missing = [blob for blob in blobs if not blob.urls and not self._has(blob)]
        return f"blob {missing[0].digest} is missing"


def _references(entry: Descriptor) -> list[ImageReference]:
    # Tools take a bare word either as a tag or as a name; only a name is useful here.
    try:
        return [ImageReference.parse(name_of(entry))]
    except InvalidReference:
        return []


def _bare(entry: Descriptor) -> Descriptor:
    kept = {k: v for k, v in entry.annotations.items() if k not in {REF_NAME, CONTAINERD_NAME}}
    return replace(entry, annotations=kept)
