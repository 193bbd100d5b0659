"""An InMemoryApp with readable outputs."""

import io
import tarfile
from dataclasses import dataclass, field
from typing import BinaryIO

from img.adapters.layer_archive.tar import TarLayerArchive
from img.application.ports.blob_store import BlobWriter
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.compression import Algorithm, Compression
from img.domain.outputs import (
    ImageForm,
)
from img.domain.progress import VertexStarted
from img.domain.reference import ImageReference
from tests.support.host.machine import ownership
from tests.support.in_memory_app import InMemoryApp

APP = ImageReference.parse("quay.io/team/app")
OTHER = ImageReference.parse("quay.io/team/other")
FILES = {"a": b"1", "b": b"2"}
DOCKERFILE = "FROM base\nCOPY a /dir/\nCOPY b /dir/\n"
DEFAULT = ImageForm()
ZSTD = Compression(Algorithm.ZSTD)


class Counting(TarLayerArchive):
    """Remembers what was compressed anew."""

    def __init__(self) -> None:
        super().__init__(ownership())
        self.recompressed: list[tuple[DiffID, str]] = []

    def recompress(
        self, compressed: BinaryIO, blob: BlobWriter, diff_id: DiffID, compression: Compression
    ) -> Layer:
        self.recompressed.append((diff_id, str(compression)))
        return super().recompress(compressed, blob, diff_id, compression)


@dataclass(slots=True)
class Bench(InMemoryApp):
    """An InMemoryApp that writes outputs to real files."""

    archive: Counting = field(default_factory=Counting)
    printed: io.BytesIO = field(default_factory=io.BytesIO)


def members(content: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {member.name: member for member in archive.getmembers()}


def names_here(app: InMemoryApp) -> set[str]:
    """Return the names in the store, without that of the base."""
    return {str(image.reference) for image in app.images.list()} - {"docker.io/library/base:latest"}


def exported(app: InMemoryApp) -> list[str]:
    names = (e.name for e in app.progress.events if isinstance(e, VertexStarted))
    return [name for name in names if name.startswith(("export", "push"))]
