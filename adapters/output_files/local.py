"""Output on this machine."""

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

from img.application.ports.output_files import OutputFiles, OutputNotWritten

_STANDARD_OUTPUT = "-"


class LocalOutputFiles(OutputFiles):
    """Drafts stand beside what they become, under names with a dot, and take its place at once."""

    def __init__(self, standard_output: BinaryIO) -> None:
        self._standard_output = standard_output

    @contextmanager
    def file(self, path: str) -> Iterator[BinaryIO]:
        try:
            if path == _STANDARD_OUTPUT:
                yield self._standard_output
                self._standard_output.flush()
            elif _is_special(path):
                with open(path, "wb") as file:
                    yield file
            else:
                with _replacing(os.path.realpath(path)) as file:
                    yield file
        except OSError as error:
            _refuse(path, error)

    @contextmanager
    def directory(self, path: str, *, delete: bool = False) -> Iterator[str]:
        from img.adapters.output_files.merge import merge

        try:
            if os.path.isdir(path):
                with _draft_directory(path) as draft:
                    yield draft
                    merge(draft, path, delete=delete)
            else:
                parent = os.path.dirname(os.path.abspath(path))
                os.makedirs(parent, exist_ok=True)
                with _draft_directory(parent) as draft:
                    yield draft
                    os.chmod(draft, 0o777 & ~_umask())
                    os.rename(draft, path)
        except OSError as error:
            _refuse(path, error)


def _is_special(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    import tempfile

    directory, name = os.path.split(path)
    descriptor, draft = tempfile.mkstemp(prefix=f".{name[:100]}.", dir=directory)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o666 & ~_umask())
            yield file
        os.rename(draft, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        raise


@contextmanager
def _draft_directory(parent: str) -> Iterator[str]:
    import tempfile

    from img.adapters.output_files.merge import remove

    draft = tempfile.mkdtemp(prefix=".img-", dir=parent)
    try:
        yield draft
    finally:
        if os.path.isdir(draft):
            remove(draft)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refuse(path: str, error: OSError) -> NoReturn:
    place = "standard output" if path == _STANDARD_OUTPUT else path
    raise OutputNotWritten(f"cannot write {place}: {error.strerror or error}") from error
