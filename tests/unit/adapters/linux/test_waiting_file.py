"""Files with blocking writes."""

import io
import os
import threading
from pathlib import Path

import pytest

from img.adapters.linux.waiting_file import WaitingFile


def test_what_finds_no_room_waits_for_it() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    text = "line of a log\n" * 100_000

    def write() -> None:
        with io.TextIOWrapper(io.BufferedWriter(WaitingFile(writer, "wb"))) as file:
            file.write(text)

    writing = threading.Thread(target=write)
    writing.start()
    with open(reader, "rb") as file:
        read = file.read()
    writing.join()

    assert read.decode() == text


@pytest.mark.parametrize("size", [-1, None, 4000, 1])
def test_what_is_not_there_yet_is_waited_for(size: int | None) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    begun = threading.Event()
    parts = [b"first ", b"second ", b"last"]

    def write() -> None:
        with open(writer, "wb", buffering=0) as file:
            begun.wait()
            for part in parts:
                file.write(part)

    writing = threading.Thread(target=write)
    writing.start()
    with io.BufferedReader(Watched(reader, begun)) as file:
        read = b"".join(iter(lambda: file.read(size), b""))
    writing.join()

    assert read == b"".join(parts)


class Watched(WaitingFile):
    """A file that tells when it is first waited for."""

    def __init__(self, descriptor: int, waited_for: threading.Event) -> None:
        super().__init__(descriptor, "rb")
        self._waited_for = waited_for

    def _wait_for(self, event: int) -> None:
        self._waited_for.set()
        super()._wait_for(event)


def test_a_copy_of_what_is_written_is_kept_up_to_a_limit(tmp_path: Path) -> None:
    with WaitingFile(tmp_path / "file", "wb") as file:
        file.write(b"before")
        file.keep(10)
        file.write(b"12345")
        file.write(memoryview(b"67890"))
        kept = file.kept
        file.write(b"1")
        file.write(b"2" * 9)

        assert kept == bytearray(b"1234567890")
        assert file.kept is None

    assert (tmp_path / "file").read_bytes() == b"before1234567890" + b"1" + b"2" * 9
