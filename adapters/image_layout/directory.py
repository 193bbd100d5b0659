"""Image layouts in directories."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from img.adapters.linux.regular_files import open_regular, read_regular
from img.application.ports.image_layout import ImageLayouts, LayoutError
from img.domain.digest import Digest
from img.domain.json_text import MOST_BYTES
from img.domain.oci.codec import InvalidDocument, decode_index, media_type_of
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import (
    INDEX_FILE,
    LAYOUT_FILE,
    blob_path,
    check_layout,
    find_images,
)


class DirectoryLayouts(ImageLayouts):
    """Layouts as skopeo, buildx and podman write them.

    Files may be links, as in Bazel's layouts: their contents are checked by digest. FIFOs, devices
    and oversized files are refused before they are read.
    """

    def find(self, path: str, tag: str, digest: Digest | None) -> Sequence[Descriptor]:
        index = self._index(path)
        found = find_images(index, tag, digest)
        if not found and digest is not None:
            found = self._manifest_beside_index(path, digest)
        if not found:
            wanted = digest or tag or "latest"
            raise LayoutError(f"oci-layout {path} has no image {wanted}")
        return found

    def entries(self, path: str) -> Sequence[Descriptor]:
        return self._index(path).manifests

    def open(self, path: str, blob: Descriptor) -> BinaryIO:
        try:
            file = os.fdopen(open_regular(f"{path}/{blob_path(blob.digest)}"), "rb")
        except OSError as error:
            raise _unreadable(path, error) from None
        size = os.fstat(file.fileno()).st_size
        if size != blob.size:
            file.close()
            problem = f"blob {blob.digest} has {size} bytes, not {blob.size}"
            raise LayoutError(f"oci-layout {path} is damaged: {problem}")
        return file

    def _index(self, path: str) -> Index:
        root = Path(path)
        try:
            check_layout(_document(root / LAYOUT_FILE))
            return decode_index(_document(root / INDEX_FILE))
        except OSError as error:
            raise _unreadable(path, error) from None
        except InvalidDocument as error:
            raise LayoutError(f"{path} is no OCI image layout: {error.message}") from None

    def _manifest_beside_index(self, path: str, digest: Digest) -> tuple[Descriptor, ...]:
        """Return a manifest that the index does not list itself, such as one of a platform."""
        try:
            content = _document(Path(path) / blob_path(digest))
        except OSError:
            return ()
        media_type = media_type_of(content)
        return (Descriptor(media_type=media_type, digest=digest, size=len(content)),)


def _document(path: Path) -> bytes:
    return read_regular(str(path), MOST_BYTES)


def _unreadable(path: str, error: OSError) -> LayoutError:
    reason = (error.strerror or str(error)).lower()
    return LayoutError(
        f"oci-layout {path} cannot be read: {reason}", hint="name a directory with an oci-layout"
    )
