"""OCI layouts in archives."""

from dataclasses import replace

from img.adapters.importer.contents import Contents
from img.adapters.importer.docker_archive import tags_by_config
from img.application.ports.blob_store import BlobStore
from img.application.ports.exporter import ArchivedImage
from img.application.ports.importer import InvalidArchive
from img.domain.digest import Digest
from img.domain.json_text import MOST_BYTES
from img.domain.oci.codec import decode_document, decode_index
from img.domain.oci.descent import descend
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import (
    CONTAINERD_NAME,
    INDEX_FILE,
    LAYOUT_FILE,
    REF_NAME,
    check_layout,
    name_of,
)
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference, InvalidReference


def layout_images(contents: Contents, blobs: BlobStore) -> list[ArchivedImage]:
    """Return the images of the layout, each once, with all its names.

    Raises InvalidArchive, InvalidDocument.
    """
    check_layout(contents.required_document(LAYOUT_FILE))
    names: dict[Digest, dict[ImageReference, None]] = {}
    targets: dict[Digest, Descriptor] = {}
    for entry in decode_index(contents.required_document(INDEX_FILE)).manifests:
        targets.setdefault(entry.digest, _bare(entry))
        names.setdefault(entry.digest, {}).update(dict.fromkeys(_references(entry)))
    tags = tags_by_config(contents)
    images = []
    for digest, target in targets.items():
        configs = _check(target, blobs)
        more = [tag for config in configs for tag in tags.get(config, ())]
        references = tuple(names[digest]) or tuple(more)
        images.append(ArchivedImage(target=target, references=references))
    return images


def _check(target: Descriptor, blobs: BlobStore) -> list[Digest]:
    """Make sure that the image is whole; return the digests of its configs."""
    configs: list[Digest] = []

    def check(target: Descriptor) -> list[Descriptor]:
        document = _document(target, blobs)
        if isinstance(document, Index):
            stored = [m for m in document.manifests if blobs.size(m.digest) is not None]
            if document.manifests and not stored:
                raise InvalidArchive(f"none of the manifests of {target.digest} is in it")
            return stored
        for blob in document.blobs:
            _check_size(blob, blobs)
        configs.append(document.config.digest)
        return []

    for _ in descend(target, check):
        pass
    return configs


def _document(target: Descriptor, blobs: BlobStore) -> Manifest | Index:
    _check_size(target, blobs)
    with blobs.open(target.digest) as content:
        return decode_document(content.read(MOST_BYTES + 1))


def _check_size(blob: Descriptor, blobs: BlobStore) -> None:
    size = blobs.size(blob.digest)
    if size is None and not blob.urls:
        raise InvalidArchive(f"blob {blob.digest} is missing")
    if size not in (None, blob.size):
        raise InvalidArchive(f"blob {blob.digest} has {size} bytes, not {blob.size} as promised")


def _references(entry: Descriptor) -> list[ImageReference]:
    # A bare word as name is a tag to some and a name to others; only as a name is it of use.
    try:
        return [ImageReference.parse(name_of(entry))]
    except InvalidReference:
        return []


def _bare(entry: Descriptor) -> Descriptor:
    kept = {k: v for k, v in entry.annotations.items() if k not in {REF_NAME, CONTAINERD_NAME}}
    return replace(entry, annotations=kept)
