"""Output files and directories on this machine."""

import contextlib
import errno
import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from img.adapters.linux.waiting_file import WaitingFile
from img.adapters.output_files.failures import STANDARD_OUTPUT, named
from img.adapters.storage.atomic_file import give_name, open_nameless
from img.application.ports.output_files import OutputFiles

_BLOCK = bytes(4096)  # a disk that is not full has space for it
_DRAFT_DIRECTORY = re.compile(r"\.img-draft-[0-9a-f]{16}")
_OWN_DESCRIPTOR = re.compile(r"/dev/(?:(stdout)|(stderr)|fd/(\d{1,9}))|/proc/self/fd/(\d{1,9})")


class LocalOutputFiles(OutputFiles):
    """Output replaces files and directories atomically.

    Temporary files have no names; temporary directories, and files without O_TMPFILE, are dot-files
    next to the target.
    """

    def __init__(self, standard_output: BinaryIO) -> None:
        self._standard_output = standard_output

    def check_file(self, path: str) -> None:
        if path == STANDARD_OUTPUT:
            return
        with named(path):
            if (own := _OWN_DESCRIPTOR.fullmatch(path)) is not None:
                os.close(os.dup(_number(own)))
            elif os.path.isdir(path):
                raise _os_error(errno.EISDIR)
            elif not _is_special(path):
                _write_and_forget(os.path.dirname(os.path.realpath(path)))
            elif not os.access(path, os.W_OK):
                raise _os_error(errno.EACCES)

    def check_directory(self, path: str) -> None:
        nearest = os.path.abspath(path)
        while not os.path.lexists(nearest):
            nearest = os.path.dirname(nearest)
        with named(path):
            _write_and_forget(nearest)

    @contextmanager
    def file(self, path: str) -> Iterator[BinaryIO]:
        with named(path):
            if path == STANDARD_OUTPUT:
                yield self._standard_output
                self._standard_output.flush()
            elif (own := _OWN_DESCRIPTOR.fullmatch(path)) is not None:
                # Opening it by name would truncate a file.
                with io.BufferedWriter(WaitingFile(os.dup(_number(own)), "wb")) as file:
                    yield file
            elif _is_special(path):
                with open(path, "wb") as file:
                    yield file
            else:
                with _replacing(os.path.realpath(path)) as file:
                    yield file

    @contextmanager
    def directory(
        self, path: str, *, delete: bool = False, same_kinds: bool = False
    ) -> Iterator[str]:
        from img.adapters.output_files.merge import check_kinds, merge

        with named(path):
            if os.path.isdir(path):
                with _draft_directory(path) as draft:
                    yield draft.path
                    if same_kinds:
                        check_kinds(draft.path, path)
                    merge(draft.path, path, kept=draft.name, delete=delete)
            else:
                parent = os.path.dirname(os.path.abspath(path))
                os.makedirs(parent, exist_ok=True)
                with _draft_directory(parent) as draft:
                    yield draft.path
                    os.fchmod(draft.descriptor, 0o777 & ~_umask())
                    os.rename(os.path.join(parent, draft.name), path)


def _number(own: re.Match[str]) -> int:
    return {"stdout": 1, "stderr": 2}.get(found := str(own[own.lastindex or 0])) or int(found)


def _is_special(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    directory, name = os.path.split(path)
    aside = os.path.join(directory, f".{name[:100]}.{os.urandom(4).hex()}")
    descriptor, draft = _draft_file(directory, aside)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            if not draft:
                try:
                    give_name(descriptor, path)
                    return
                except FileExistsError:  # only rename(2) replaces files, and it needs a name
                    give_name(descriptor, aside)
                    draft = aside
        os.rename(draft, path)
    except BaseException:
        if draft:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)
        raise


def _draft_file(directory: str, aside: str) -> tuple[int, str]:
    """Return a new file and its name: "" if it needs none, else ``aside``."""
    descriptor = open_nameless(directory, 0o666)
    if descriptor >= 0:
        return descriptor, ""
    return os.open(aside, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o666), aside


def _write_and_forget(directory: str) -> None:
    """Write a file in ``directory`` and delete it. Raises OSError."""
    descriptor, name = _draft_file(directory, os.path.join(directory, f".{os.urandom(8).hex()}"))
    try:
        os.write(descriptor, _BLOCK)
    finally:
        os.close(descriptor)
        if name:
            os.unlink(name)


class _Draft(NamedTuple):
    """A new directory: ``path`` leads to it even when another process has renamed it."""

    name: str  # in its original parent
    path: str
    descriptor: int


@contextmanager
def _draft_directory(parent: str) -> Iterator[_Draft]:
    import fcntl

    from img.adapters.output_files.merge import empty
    from img.adapters.storage.own_files import is_at, open_own_directory, try_lock

    _remove_abandoned(parent)
    name = f".img-draft-{os.urandom(8).hex()}"
    named = os.path.join(parent, name)
    os.mkdir(named, 0o700)
    descriptor = open_own_directory(named)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            try_lock(descriptor)
        # With "." so that it can be opened with O_NOFOLLOW.
        by_descriptor = f"/proc/self/fd/{descriptor}/."
        path = by_descriptor if os.path.isdir(by_descriptor) else named
        try:
            yield _Draft(name=name, path=path, descriptor=descriptor)
        finally:
            if is_at(named, descriptor):  # otherwise it has been renamed to its target
                empty(descriptor)
                os.rmdir(named)
    finally:
        with contextlib.suppress(OSError):
            # a process forked meanwhile has the descriptor too
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _remove_abandoned(parent: str) -> None:
    """Delete temporary directories in ``parent`` of killed processes of this user.

    A build context or an image may have such a name, too: links are left alone.
    """
    from img.adapters.storage.work_directory import WorkDirectory

    for name in filter(_DRAFT_DIRECTORY.fullmatch, os.listdir(parent)):
        with contextlib.suppress(OSError):
            leftover = WorkDirectory.claim(os.path.join(parent, name))
            if leftover is not None:
                leftover.remove()


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
