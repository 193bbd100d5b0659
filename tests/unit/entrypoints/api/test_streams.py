"""Open files of the caller: which of them an engine reads and writes directly."""

import gzip
import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from img.entrypoints.api.streams import input_descriptor, output_descriptor

CONTENT = b"head" + b"content" * 10_000


def a_file(place: Path) -> BinaryIO:
    (place / "file").write_bytes(CONTENT)
    return (place / "file").open("rb")


def a_raw_file(place: Path) -> BinaryIO:
    (place / "file").write_bytes(CONTENT)
    return (place / "file").open("rb", buffering=0)


def a_temporary_file(_place: Path) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(CONTENT)
    file.seek(0)
    return file


def a_named_temporary_file(_place: Path) -> BinaryIO:
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115
    file.write(CONTENT)
    file.seek(0)
    return file  # type: ignore[return-value]


def a_compressed_file(place: Path) -> BinaryIO:
    (place / "file.gz").write_bytes(gzip.compress(CONTENT))
    return gzip.open(place / "file.gz")  # type: ignore[return-value]


def a_file_in_memory(_place: Path) -> BinaryIO:
    return io.BytesIO(CONTENT)


def a_pipe(_place: Path) -> BinaryIO:
    read, write = os.pipe()
    with open(write, "wb") as feed:
        feed.write(CONTENT[:50_000])  # less than a pipe holds
    return open(read, "rb")


def a_peeked_pipe(place: Path) -> BinaryIO:
    pipe = a_pipe(place)
    pipe.peek(1)  # type: ignore[attr-defined]
    return pipe


class Decoder(io.BufferedReader):
    """A stream with other content than its file."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size).swapcase()


def a_subclass(place: Path) -> BinaryIO:
    (place / "file").write_bytes(CONTENT.swapcase())
    return Decoder(io.FileIO(place / "file"))


KINDS = [
    *(a_file, a_raw_file, a_temporary_file, a_named_temporary_file, a_compressed_file),
    *(a_file_in_memory, a_pipe, a_peeked_pipe, a_subclass),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("offset", [0, 4])
def test_an_engine_reads_the_rest_of_the_content(
    kind: Callable[[Path], BinaryIO], offset: int, tmp_path: Path
) -> None:
    with kind(tmp_path) as stream:
        stream.read(offset)
        with input_descriptor(stream) as descriptor:
            assert descriptor is not None
            with open(os.dup(descriptor), "rb") as given:
                content = given.read()

    assert content == (CONTENT[:50_000] if "pipe" in kind.__name__ else CONTENT)[offset:]


@pytest.mark.parametrize("kind", ["file", "raw", "gzip", "memory", "random", "pipe"])
def test_an_engine_writes_after_the_content(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "file"
    read, write = os.pipe()
    streams: dict[str, Callable[[], BinaryIO]] = {
        "file": lambda: place.open("wb"),
        "raw": lambda: place.open("wb", buffering=0),
        "gzip": lambda: cast("BinaryIO", gzip.open(place, "wb")),  # noqa: SIM115
        "memory": io.BytesIO,
        "random": lambda: place.open("w+b"),
        "pipe": lambda: open(write, "wb", closefd=False),  # noqa: SIM115
    }
    with streams[kind]() as stream:
        stream.write(b"head ")
        with output_descriptor(stream) as descriptor:
            assert descriptor is not None
            os.write(descriptor, b"content")
        if isinstance(stream, io.BytesIO):
            place.write_bytes(stream.getvalue())
    os.close(write)
    with open(read, "rb") as pipe:
        piped = pipe.read()

    content = gzip.decompress(place.read_bytes()) if kind == "gzip" else piped or place.read_bytes()
    assert content == b"head content"


def test_a_file_is_not_copied(tmp_path: Path) -> None:
    with a_file(tmp_path) as stream, input_descriptor(stream) as descriptor:
        assert descriptor == stream.fileno()
