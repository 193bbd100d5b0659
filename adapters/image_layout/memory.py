"""Image layouts in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from io import BytesIO
from typing import BinaryIO

from img.application.ports.image_layout import ImageLayouts, LayoutError
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import find_images


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLayout:
    """An index and the blobs it leads to."""

    index: Index
    blobs: Mapping[Digest, bytes]


@dataclass(frozen=True, slots=True)
class MemoryLayouts(ImageLayouts):
    """``layouts`` by path."""

    layouts: Mapping[str, MemoryLayout] = field(default_factory=dict)

    def find(self, path: str, tag: str, digest: Digest | None) -> Sequence[Descriptor]:
        layout = self._layout(path)
        found = find_images(layout.index, tag, digest)
        if not found:
            raise LayoutError(f"oci-layout {path} has no image {digest or tag or 'latest'}")
        return found

    def open(self, path: str, blob: Descriptor) -> BinaryIO:
        content = self._layout(path).blobs.get(blob.digest)
        if content is None:
            raise LayoutError(f"oci-layout {path} cannot be read: no blob {blob.digest}")
        return BytesIO(content)

    def _layout(self, path: str) -> MemoryLayout:
        if path not in self.layouts:
            raise LayoutError(f"oci-layout {path} cannot be read: no such file or directory")
        return self.layouts[path]
