"""Open files of the caller as descriptors for an engine."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def input_descriptor(stream: BinaryIO | None) -> Iterator[int | None]:
    """Enter with a descriptor that reads the rest of ``stream``; None for None.

    A stream that is no file of the system is copied to a temporary file. So is a buffered pipe,
    because Python does not say whether it has read ahead.
    """
    if stream is None:
        yield None
        return
    file = _file_below(stream)
    if file is not None and (file is stream or file.seekable()):
        if file.seekable():  # what Python read ahead is read again
            os.lseek(file.fileno(), stream.tell(), os.SEEK_SET)
        yield file.fileno()
        return
    import shutil
    import tempfile

    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield copy.fileno()


@contextmanager
def output_descriptor(stream: BinaryIO | None) -> Iterator[int | None]:
    """Enter with a descriptor that writes to ``stream``; None for None.

    A stream that is no file of the system gets the content when the work succeeded.
    """
    if stream is None:
        yield None
        return
    file = _file_below(stream)
    if file is not None:
        stream.flush()
        yield file.fileno()
        return
    import shutil
    import tempfile

    with tempfile.TemporaryFile() as copy:
        yield copy.fileno()
        copy.seek(0)
        shutil.copyfileobj(copy, stream)


def _file_below(stream: object) -> io.FileIO | None:
    """Return the file with the bytes of ``stream``, None if there is none.

    fileno() is not asked: that of gzip.open, for example, is the file with the compressed bytes.
    Subclasses may transform the bytes too.
    """
    if type(stream) in (io.BufferedReader, io.BufferedWriter, io.BufferedRandom):
        stream = stream.raw  # type: ignore[attr-defined]
    return stream if type(stream) is io.FileIO else None
