"""Open files of the caller as descriptors for an engine."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def input_descriptor(stream: BinaryIO | None) -> Iterator[int | None]:
    """Enter with a descriptor that reads the rest of ``stream``; None for None.

    A stream in memory is copied to a temporary file.
    """
    if stream is None:
        yield None
        return
    descriptor = _descriptor_of(stream)
    if descriptor is not None:
        if stream.seekable():  # what Python read ahead is read again
            os.lseek(descriptor, stream.tell(), os.SEEK_SET)
        yield descriptor
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield copy.fileno()


@contextmanager
def output_descriptor(stream: BinaryIO | None) -> Iterator[int | None]:
    """Enter with a descriptor that writes to ``stream``; None for None.

    A stream in memory gets the content when the work succeeded.
    """
    if stream is None:
        yield None
        return
    descriptor = _descriptor_of(stream)
    if descriptor is not None:
        stream.flush()
        yield descriptor
        return
    with tempfile.TemporaryFile() as copy:
        yield copy.fileno()
        copy.seek(0)
        shutil.copyfileobj(copy, stream)


def _descriptor_of(stream: BinaryIO) -> int | None:
    try:
        return stream.fileno()
    except (io.UnsupportedOperation, AttributeError):
        return None
