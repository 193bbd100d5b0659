"""Limits of the resources of decoders, for any compressed bytes."""

import binascii
import bz2
import gzip
import io
import lzma
import subprocess
import sys
from collections.abc import Callable

import pytest
import zstandard

from img.adapters.layer_archive.compression import decompressed
from img.application.ports.layer_archive import InvalidLayer

MIB = 1 << 20
BLOCK = 128 << 10
LARGEST_CHUNK = MIB

# Prints how much the peak of the memory grew, in KiB, once everything is imported.
_MEASURE = """
import io, resource, sys
import bz2, lzma, zstandard, isal.igzip_lib
from img.adapters.layer_archive.compression import decompressed
from img.application.ports.layer_archive import InvalidLayer
content = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(sum(map(len, decompressed(io.BytesIO(content)))))
except InvalidLayer as error:
    print(error.message)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def measured(content: bytes) -> tuple[str, int]:
    """Return the size of what is in ``content``, or what is wrong, and the memory it took, MiB."""
    run = subprocess.run(
        [sys.executable, "-c", _MEASURE], input=content, capture_output=True, check=True
    )
    said, memory = run.stdout.decode().splitlines()
    return said, int(memory) >> 10


def zstd_runs(blocks: int, *, window_log: int) -> bytes:
    """Return a frame of blocks of 4 bytes, each of which stands for 128 KiB of zeros."""
    run = (BLOCK << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (BLOCK << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    header = b"\x28\xb5\x2f\xfd\0" + bytes([window_log - 10 << 3])
    return header + run * (blocks - 1) + last


def test_a_small_zstd_frame_gives_small_chunks_and_takes_little_memory() -> None:
    bomb = zstd_runs(4096, window_log=23)
    assert len(bomb) < 17_000
    assert max(map(len, decompressed(io.BytesIO(bomb)))) <= LARGEST_CHUNK

    size, memory = measured(bomb)

    assert size == str(512 * MIB)
    assert memory < 40


def test_a_zstd_frame_of_the_largest_window_takes_that_and_no_more() -> None:
    size, memory = measured(zstd_runs(4096, window_log=27))
    assert size == str(512 * MIB)
    assert memory < 180


@pytest.mark.parametrize("log", [28, 31, 41])
def test_a_zstd_frame_of_a_larger_window_is_refused(log: int) -> None:
    with pytest.raises(InvalidLayer, match=f"want a zstd window of {1 << log} bytes, more than"):
        list(decompressed(io.BytesIO(zstd_runs(1, window_log=log))))


def test_a_zstd_frame_of_one_segment_has_its_size_as_window() -> None:
    header = b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little")
    with pytest.raises(InvalidLayer, match=f"want a zstd window of {1 << 40} bytes"):
        list(decompressed(io.BytesIO(header + b"\1\0\0")))


@pytest.mark.parametrize(
    "parameters",
    [
        {"level": 1},
        {"level": 19},
        {"level": 3, "write_checksum": True},
        {"level": 3, "write_content_size": False},
        {"level": 1, "window_log": 27},
    ],
)
@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_791, 65_792, 3 * MIB + 1])
def test_zstd_frames_of_all_kinds_are_read(parameters: dict[str, int], size: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    level = parameters["level"]
    more = {name: value for name, value in parameters.items() if name != "level"}
    compressor = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(level, **more)
    )
    streamed = compressor.compressobj()
    frames = (
        compressor.compress(content),
        streamed.compress(content) + streamed.flush(),
        compressor.compress(content) + b"\x5a\x2a\x4d\x18\3\0\0\0abc" + compressor.compress(b"z"),
    )
    for frame, expected in zip(frames, (content, content, content + b"z"), strict=True):
        assert b"".join(decompressed(io.BytesIO(frame))) == expected


def test_a_zstd_frame_is_refused_wherever_it_is_cut_or_changed() -> None:
    params = zstandard.ZstdCompressionParameters.from_level(3, write_checksum=True)
    frame = zstandard.ZstdCompressor(compression_params=params).compress(bytes(range(250)) * 9)
    for end in range(4, len(frame)):
        with pytest.raises(InvalidLayer):
            list(decompressed(io.BytesIO(frame[:end])))
    for at in range(4, len(frame)):
        changed = bytearray(frame)
        changed[at] ^= 0xFF
        with pytest.raises(InvalidLayer):
            list(decompressed(io.BytesIO(bytes(changed))))
    for more in (b"\0", b"trailing"):
        with pytest.raises(InvalidLayer):
            list(decompressed(io.BytesIO(frame + more)))


def test_xz_is_read_as_far_as_its_dictionary_is_not_too_large() -> None:
    def compressed(dictionary: int) -> bytes:
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": dictionary}]
        return lzma.compress(b"content", filters=filters)

    assert b"".join(decompressed(io.BytesIO(compressed(64 * MIB)))) == b"content"
    # The header alone: to compress with such a dictionary takes ten times as much.
    large = bytearray(compressed(64 * MIB))
    at = large.index(b"\x21\x01", 12) + 2
    large[at] = 34  # 2 << 17 + ... : 512 MiB (xz file format, 5.3.1)
    length = (large[12] + 1) * 4
    large[12 + length - 4 : 12 + length] = binascii.crc32(large[12 : 12 + length - 4]).to_bytes(
        4, "little"
    )
    with pytest.raises(InvalidLayer, match=r"(?i)memory"):
        list(decompressed(io.BytesIO(bytes(large))))


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_other_bombs_come_in_chunks(compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(bytes(4 * MIB))
    assert max(map(len, decompressed(io.BytesIO(bomb)))) <= LARGEST_CHUNK
    size, memory = measured(bomb)
    assert size == str(4 * MIB)
    assert memory < 40
