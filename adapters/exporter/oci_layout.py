"""An OCI image layout in a directory."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from img.adapters.exporter.oci_archive import index_entries
from img.adapters.exporter.stored_images import StoredImages
from img.adapters.storage.atomic_file import NewFile, write_file
from img.adapters.storage.oci_layout import (
    TEMP_DIR,
    check_output_layout,
    create_layout,
    remove_temp_dir,
    written_to,
)
from img.adapters.storage.own_files import UMASK_MODE, Lock
from img.application.ports.blob_store import BlobStore
from img.application.ports.exporter import ArchivedImage, LayoutExporter
from img.domain.digest import Digest
from img.domain.oci.codec import decode_index, encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import INDEX_FILE, LAYOUT_FILE, blob_path, check_layout, name_of


class OciLayoutExporter(LayoutExporter):
    """Copies missing blobs, then adds the images to ``index.json``."""

    def __init__(self, blobs: BlobStore) -> None:
        self._stored = StoredImages(blobs)

    def export(self, images: Sequence[ArchivedImage], directory: str) -> None:
        digests = dict.fromkeys(
            digest for image in images for digest in self._stored.digests(image.target)
        )
        entries = [entry for image in images for entry in index_entries(image)]
        root = Path(directory)
        with written_to(directory):
            create_layout(root)
            check_output_layout(root)
            check_layout((root / LAYOUT_FILE).read_bytes())
            for digest in digests:
                self._copy(digest, root)
            with Lock(str(root / LAYOUT_FILE), any_owner=True):
                index = decode_index((root / INDEX_FILE).read_bytes())
                added = encode_index(_with(index, entries))
                write_file(directory, INDEX_FILE, (added,), str(root / TEMP_DIR))
            remove_temp_dir(root)

    def _copy(self, digest: Digest, root: Path) -> None:
        path = root / blob_path(digest)
        if path.exists() and path.stat().st_size == self._stored.size(digest):
            return
        file = NewFile(str(path.parent), str(root / TEMP_DIR), directory_mode=UMASK_MODE)
        try:
            for chunk in self._stored.chunks(digest):
                file.write(chunk)
            file.replace(path.name)
        finally:
            file.discard()


def _with(index: Index, entries: Sequence[Descriptor]) -> Index:
    """Return ``index`` with ``entries``, which replace those of the same name, or equal ones."""
    names = {name_of(entry) for entry in entries}
    digests = {entry.digest for entry in entries if not name_of(entry)}
    kept = [
        entry
        for entry in index.manifests
        if (name_of(entry) not in names if name_of(entry) else entry.digest not in digests)
    ]
    return replace(index, manifests=(*kept, *entries))
