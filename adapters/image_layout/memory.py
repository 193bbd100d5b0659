"""Image layouts in memory, for tests."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from io import BytesIO
from typing import BinaryIO

from img.application.ports.blob_store import BlobMismatch
from img.application.ports.image_layout import ImageLayouts, LayoutError, LayoutWriter
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import find_images, with_name, with_unnamed


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLayout:
    """An index and its blobs."""

    index: Index
    blobs: Mapping[Digest, bytes]


@dataclass(frozen=True, slots=True)
class MemoryLayouts(ImageLayouts):
    """Layouts by path."""

    layouts: Mapping[str, MemoryLayout] = field(default_factory=dict)

    def find(self, path: str, tag: str, digest: Digest | None) -> Sequence[Descriptor]:
        layout = self._layout(path)
        found = find_images(layout.index, tag, digest)
        if not found:
            raise LayoutError(f"oci-layout {path} has no image {digest or tag or 'latest'}")
        return found

    def entries(self, path: str) -> Sequence[Descriptor]:
        return self._layout(path).index.manifests

    def open(self, path: str, blob: Descriptor) -> BinaryIO:
        content = self._layout(path).blobs.get(blob.digest)
        if content is None:
            raise LayoutError(f"oci-layout {path} cannot be read: no blob {blob.digest}")
        return BytesIO(content)

    def _layout(self, path: str) -> MemoryLayout:
        if path not in self.layouts:
            raise LayoutError(f"oci-layout {path} cannot be read: no such file or directory")
        return self.layouts[path]


@dataclass(frozen=True, slots=True)
class MemoryLayoutWriter(LayoutWriter):
    """A writer to ``layouts`` by path, which a MemoryLayouts can read."""

    layouts: dict[str, MemoryLayout]

    def add(self, path: str, blob: Descriptor, content: BinaryIO) -> None:
        layout = self._layout(path)
        stored = layout.blobs.get(blob.digest)
        if stored is not None and len(stored) == blob.size:
            return
        new = content.read()
        if Digest.of(new) != blob.digest:
            raise BlobMismatch(blob.digest, Digest.of(new))
        self.layouts[path] = replace(layout, blobs={**layout.blobs, blob.digest: new})

    def name(
        self, path: str, tag: str, manifest: Descriptor, *, only: Collection[Digest] | None = None
    ) -> None:
        layout = self._layout(path)
        index = with_name(layout.index if only is None else Index(), tag, manifest)
        kept = {
            digest: content
            for digest, content in layout.blobs.items()
            if only is None or digest in only
        }
        self.layouts[path] = MemoryLayout(index=index, blobs=kept)

    def add_unnamed(self, path: str, manifests: Sequence[Descriptor]) -> None:
        layout = self._layout(path)
        self.layouts[path] = replace(layout, index=with_unnamed(layout.index, manifests))

    def _layout(self, path: str) -> MemoryLayout:
        return self.layouts.get(path) or MemoryLayout(index=Index(), blobs={})
