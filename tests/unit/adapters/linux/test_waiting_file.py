"""Files whose writers wait."""

import io
import os
import threading

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
