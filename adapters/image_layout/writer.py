"""Writing image layouts to directories."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import BinaryIO

from img.adapters.linux.buffers import CHUNK
from img.adapters.linux.regular_files import read_regular
from img.adapters.storage.atomic_file import write_file
from img.adapters.storage.oci_layout import TEMP_DIR, check_output_layout, create_layout, written_to
from img.adapters.storage.own_files import Lock
from img.application.ports.blob_store import BlobStore
from img.application.ports.image_layout import LayoutWriter
from img.domain.digest import Digest
from img.domain.json_text import MOST_BYTES
from img.domain.oci.codec import decode_index, encode_index
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import INDEX_FILE, LAYOUT_FILE, check_layout, with_name, with_unnamed


class DirectoryLayoutWriter(LayoutWriter):
    """Layouts for buildx, skopeo and podman; ``blobs`` opens the blobs of one."""

    def __init__(self, blobs: Callable[[Path], BlobStore]) -> None:
        self._blobs = blobs

    def add(self, path: str, blob: Descriptor, content: BinaryIO) -> None:
        with written_to(path):
            check_output_layout(Path(path))
            store = self._blobs(Path(path))
            if store.size(blob.digest) == blob.size:
                return
            writer = store.writer()
            try:
                while chunk := content.read(CHUNK):
                    writer.write(chunk)
                store.remove(blob.digest)  # a blob with a wrong size is damaged, and would stay
                writer.commit(blob.digest)
            finally:
                writer.abort()

    def name(
        self, path: str, tag: str, manifest: Descriptor, *, only: Collection[Digest] | None = None
    ) -> None:
        def named(index: Index) -> Index:
            return with_name(index if only is None else Index(), tag, manifest)

        self._edit(path, named, only)

    def add_unnamed(self, path: str, manifests: Sequence[Descriptor]) -> None:
        self._edit(path, lambda index: with_unnamed(index, manifests))

    def _edit(
        self, path: str, change: Callable[[Index], Index], only: Collection[Digest] | None = None
    ) -> None:
        root = Path(path)
        with written_to(path):
            create_layout(root)
            check_output_layout(root)
            with Lock(str(root / LAYOUT_FILE), any_owner=True):
                check_layout(read_regular(str(root / LAYOUT_FILE), MOST_BYTES))
                before = decode_index(read_regular(str(root / INDEX_FILE), MOST_BYTES))
                index = encode_index(change(before))
                write_file(path, INDEX_FILE, (index,), str(root / TEMP_DIR))
                if only is not None:
                    self._remove_others(root, only)

    def _remove_others(self, root: Path, only: Collection[Digest]) -> None:
        store = self._blobs(root)
        for digest in set(store.digests()) - set(only):
            store.remove(digest)
