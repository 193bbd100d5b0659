"""Failures of output, by the path that the user gave."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from img.application.ports.exporter import ArchiveNotWritten
from img.application.ports.output_files import OutputNotWritten

STANDARD_OUTPUT = "-"


@contextmanager
def named(path: str) -> Iterator[None]:
    """Raise OutputNotWritten for an OSError from inside, also for that of an archive."""
    try:
        yield
    except OSError as error:
        _refuse(path, error)
    except ArchiveNotWritten as error:  # an exporter has a stream, and no path
        if not isinstance(error.__cause__, OSError):
            raise
        _refuse(path, error.__cause__)


def _refuse(path: str, error: OSError) -> NoReturn:
    place = "standard output" if path == STANDARD_OUTPUT else path
    raise OutputNotWritten(f"cannot write {place}: {error.strerror or error}") from error
