"""The contract of layer archives for layers in other compressions."""

import gzip
import io
import os

import pytest
import zstandard

from img.adapters.blob_store.memory import MemoryBlobStore
from img.application.ports.blob_store import StoreFull
from img.application.ports.layer_archive import (
    InvalidLayer,
    LayerArchive,
)
from img.domain.digest import Digest
from img.domain.oci.compression import Algorithm, Compression
from tests.support.images.layer_archives import EVERY_KIND, SlowFull, a_file, packed

ALL_COMPRESSIONS = [
    *(Compression(Algorithm.GZIP, level) for level in (None, 0, 1, 9)),
    *(Compression(Algorithm.ZSTD, level) for level in (None, 1, 11)),
    Compression(Algorithm.NONE),
]


def plain(blob: bytes, algorithm: Algorithm) -> bytes:
    match algorithm:
        case Algorithm.GZIP:
            return gzip.decompress(blob)
        case Algorithm.ZSTD:
            return zstandard.ZstdDecompressor().decompressobj().decompress(blob)
        case Algorithm.NONE:
            return blob


@pytest.mark.parametrize("compression", ALL_COMPRESSIONS, ids=str)
def test_a_layer_compressed_anew_has_the_same_tar_inside(
    archive: LayerArchive, compression: Compression
) -> None:
    old, blob = packed(archive, *EVERY_KIND)
    store = MemoryBlobStore()

    layer = archive.recompress(io.BytesIO(blob), store.writer(), old.layer.diff_id, compression)

    with store.open(layer.descriptor.digest) as stored:
        new = stored.read()
    assert plain(new, compression.algorithm) == gzip.decompress(blob)
    assert layer.diff_id == old.layer.diff_id
    assert layer.descriptor.media_type == compression.algorithm.media_type
    assert (layer.descriptor.digest, layer.descriptor.size) == (Digest.of(new), len(new))
    assert archive.index(io.BytesIO(new)) == (old.layer.diff_id, old.index)


@pytest.mark.parametrize("compression", ALL_COMPRESSIONS, ids=str)
def test_it_has_the_bytes_that_packing_would_have_given(
    archive: LayerArchive, compression: Compression
) -> None:
    old, blob = packed(archive, *EVERY_KIND)
    store = MemoryBlobStore()

    straight = archive.pack(EVERY_KIND, store.writer(), compression=compression)
    anew = archive.recompress(io.BytesIO(blob), store.writer(), old.layer.diff_id, compression)

    assert straight.layer == anew


def test_a_higher_level_makes_less(archive: LayerArchive) -> None:
    old, blob = packed(archive, a_file("text", b" ".join(b"%d" % n for n in range(200_000))))

    def size(compression: Compression) -> int:
        store = MemoryBlobStore()
        source = io.BytesIO(blob)
        layer = archive.recompress(source, store.writer(), old.layer.diff_id, compression)
        return layer.descriptor.size

    for algorithm, low, high in ((Algorithm.GZIP, 1, 9), (Algorithm.ZSTD, 1, 11)):
        assert size(Compression(algorithm, high)) < size(Compression(algorithm, low))


@pytest.mark.parametrize("damage", [b"", b"no layer at all"])
def test_what_is_another_layer_is_not_compressed_anew(archive: LayerArchive, damage: bytes) -> None:
    old, _ = packed(archive, a_file("a", b"1"))
    blob = SlowFull(1 << 20)

    with pytest.raises(InvalidLayer):
        archive.recompress(io.BytesIO(damage), blob, old.layer.diff_id, Compression())

    assert blob.aborted


def test_a_full_store_ends_compressing_anew(archive: LayerArchive) -> None:
    old, content = packed(archive, a_file("a", os.urandom(4 << 20)))
    blob = SlowFull(2 << 20)

    with pytest.raises(StoreFull):
        archive.recompress(
            io.BytesIO(content), blob, old.layer.diff_id, Compression(Algorithm.ZSTD)
        )

    assert blob.aborted
