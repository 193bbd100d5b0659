"""Archives of ``docker save``, of today and before manifests (moby image/spec v1.2 and v1)."""

from collections.abc import Iterable, Mapping, Sequence

from img.adapters.importer.contents import Contents, StoredFile
from img.adapters.importer.diff_ids import DiffIds
from img.adapters.importer.found_image import FoundConfig, FoundImage
from img.application.ports.blob_store import BlobMismatch, BlobStore
from img.application.ports.exporter import Decompress
from img.application.ports.importer import InvalidArchive
from img.domain.digest import Digest
from img.domain.json_text import InvalidJson, parse_json
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import decode_config, encode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.fields import Fields, compact
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference, InvalidReference

_COMPRESSED = {
    b"\x1f\x8b": media_types.OCI_LAYER_GZIP,
    b"\x28\xb5\x2f\xfd": media_types.OCI_LAYER_ZSTD,
}
_WITHOUT_MEDIA_TYPE = (b"BZh", b"\xfd7zXZ\0")
# The fields of a v1 image that configs do not have (moby image/v1, MakeConfigFromV1Config).
_V1_ONLY = {"id", "parent", "Size", "parent_id", "layer_id", "throwaway"}
_MOST_IMAGES = 4096
_MOST_LAYERS = 1024  # docker's limit was 127


def docker_images(contents: Contents, blobs: BlobStore, decompress: Decompress) -> list[FoundImage]:
    """Return the images that ``manifest.json`` lists. Raises InvalidArchive, InvalidDocument."""
    images = []
    assembly = _Assembly(blobs, decompress)
    for entry in _manifest_entries(contents):
        config = contents.required_document(entry.required_text("Config"))
        files = [contents.file(name) for name in entry.texts("Layers") or ()]
        tags = _references(entry.texts("RepoTags") or ())
        images.append(assembly.image(config, files, tags))
    return images


def tags_by_config(contents: Contents) -> Mapping[Digest, Sequence[ImageReference]]:
    """Return the names that ``manifest.json``, if there is one, gives to configs."""
    tags: dict[Digest, Sequence[ImageReference]] = {}
    if contents.document("manifest.json") is not None:
        for entry in _manifest_entries(contents):
            config = contents.document(entry.required_text("Config"))
            if config is not None:
                tags[Digest.of(config)] = _references(entry.texts("RepoTags") or ())
    return tags


def legacy_images(contents: Contents, blobs: BlobStore, decompress: Decompress) -> list[FoundImage]:
    """Return the images that ``repositories`` lists: chains of v1 images, each with one layer.

    Raises InvalidArchive, InvalidDocument.
    """
    repositories = Fields.parse(contents.required_document("repositories"), "repositories").rest()
    tops: dict[str, list[str]] = {}
    for repository, tags in repositories.items():
        for tag, top in Fields(tags, "repositories", repository).rest().items():
            tops.setdefault(str(top), []).append(f"{repository}:{tag}")
    _check_count(len(tops))
    images = []
    assembly = _Assembly(blobs, decompress)
    for top, names in tops.items():
        chain = _v1_chain(contents, top)
        files = [contents.file(f"{identity}/layer.tar") for identity, _ in chain]
        diff_ids = [assembly.diff_id(file) for file in files]
        config = _config_from_v1([document for _, document in chain], diff_ids)
        images.append(assembly.image(config, files, _references(names)))
    return images


class _Assembly:
    """Creates manifests for configs and the files of their layers, each of which is read once."""

    def __init__(self, blobs: BlobStore, decompress: Decompress) -> None:
        self._blobs = blobs
        self._diff_ids = DiffIds(blobs, decompress)
        self._plain: dict[Digest, StoredFile] = {}

    def image(
        self, config: bytes, files: Sequence[StoredFile], references: tuple[ImageReference, ...]
    ) -> FoundImage:
        """Store config and manifest, and return the image.

        Layers stay uncompressed: so the digests in the config verify them, loading takes no longer
        than copying, and a push can still compress them.
        """
        known = decode_config(config)
        diff_ids = known.diff_ids
        if len(diff_ids) != len(files):
            raise InvalidArchive(f"a config names {len(diff_ids)} layers, not {len(files)}")
        manifest = encode_manifest(
            Manifest(
                config=self._stored(config, media_types.OCI_CONFIG),
                layers=tuple(map(self._layer, diff_ids, files)),
            )
        )
        return FoundImage(
            target=self._stored(manifest, media_types.OCI_MANIFEST),
            references=references,
            configs=(FoundConfig(digest=Digest.of(config), platform=known.needs),),
        )

    def diff_id(self, file: StoredFile) -> DiffID:
        """Return the digest of a layer's uncompressed tar."""
        if not file.start.startswith((*_COMPRESSED, *_WITHOUT_MEDIA_TYPE)):
            return DiffID(file.digest)
        return self._diff_ids.of(file.digest)

    def _layer(self, promised: DiffID, file: StoredFile) -> Descriptor:
        if file.start.startswith(_WITHOUT_MEDIA_TYPE):
            if file.digest not in self._plain:
                self._plain[file.digest] = self._uncompressed(file)
            file = self._plain[file.digest]
        actual = self.diff_id(file)
        if actual != promised:
            raise BlobMismatch(promised, actual)
        media_type = next(
            (name for magic, name in _COMPRESSED.items() if file.start.startswith(magic)),
            media_types.OCI_LAYER,
        )
        return Descriptor(media_type=media_type, digest=file.digest, size=file.size)

    def _uncompressed(self, file: StoredFile) -> StoredFile:
        """Store a layer uncompressed: manifests have no media type for bzip2 and xz."""
        size = 0
        writer = self._blobs.writer()
        try:
            for chunk in self._diff_ids.chunks(file.digest):
                size += writer.write(chunk)
            return StoredFile(writer.commit(), size, b"")
        finally:
            writer.abort()

    def _stored(self, content: bytes, media_type: str) -> Descriptor:
        digest = Digest.of(content)
        if self._blobs.size(digest) == len(content):
            return Descriptor(media_type=media_type, digest=digest, size=len(content))
        writer = self._blobs.writer()
        try:
            size = writer.write(content)
            return Descriptor(media_type=media_type, digest=writer.commit(), size=size)
        finally:
            writer.abort()


def _manifest_entries(contents: Contents) -> list[Fields]:
    try:
        entries = parse_json(contents.required_document("manifest.json"))
    except InvalidJson as error:
        raise InvalidArchive(f"invalid manifest.json: {error.message}") from None
    if not isinstance(entries, list):
        raise InvalidArchive("manifest.json must be a list")
    _check_count(len(entries))
    return [Fields(entry, "manifest.json", f"[{i}]") for i, entry in enumerate(entries)]


def _check_count(images: int) -> None:
    if images > _MOST_IMAGES:
        raise InvalidArchive(f"it names {images} images, more than {_MOST_IMAGES}")


def _references(names: Iterable[str]) -> tuple[ImageReference, ...]:
    references: dict[ImageReference, None] = {}
    for name in names:
        try:
            references[ImageReference.parse(name)] = None
        except InvalidReference as error:
            raise InvalidArchive(error.message) from error
    return tuple(references)


def _v1_chain(contents: Contents, top: str) -> list[tuple[str, Fields]]:
    """Return ids and documents of ``top`` and its ancestors, the lowest first."""
    chain: dict[str, Fields] = {}
    identity = top
    while identity:
        if identity in chain:
            raise InvalidArchive(f"image {identity} stands on itself")
        if len(chain) == _MOST_LAYERS:
            raise InvalidArchive(f"image {top} has more than {_MOST_LAYERS} layers")
        document = contents.required_document(f"{identity}/json")
        chain[identity] = Fields.parse(document, "v1 image")
        identity = Fields.parse(document, "v1 image").text("parent")
    return list(chain.items())[::-1]


def _config_from_v1(documents: Sequence[Fields], diff_ids: Sequence[DiffID]) -> bytes:
    """Return the config of the last of ``documents`` (moby image/v1, MakeConfigFromV1Config)."""
    top = {k: v for k, v in documents[-1].rest().items() if k not in _V1_ONLY}
    history = [_history_from_v1(document) for document in documents]
    root = {"type": "layers", "diff_ids": list(map(str, diff_ids))}
    return compact({**top, "rootfs": root, "history": history})


def _history_from_v1(document: Fields) -> Mapping[str, object]:
    fields = Fields(document.rest(), "v1 image")
    command = fields.nested("container_config")
    step = {
        "created": fields.text("created"),
        "created_by": " ".join(command.texts("Cmd") or ()) if command else "",
        "author": fields.text("author"),
        "comment": fields.text("comment"),
    }
    return {name: value for name, value in step.items() if value}
