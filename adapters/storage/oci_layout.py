"""The two files that make a directory an OCI image layout."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from img.adapters.storage.atomic_file import NewFile, own_name, raise_state_error
from img.adapters.storage.own_files import READABLE_MODE, UMASK_MODE, NotOwn, make_directories
from img.application.ports.output_files import OutputNotWritten
from img.domain.errors import StateError
from img.domain.oci.codec import encode_index
from img.domain.oci.index import Index
from img.domain.oci.layout import INDEX_FILE, LAYOUT_CONTENT, LAYOUT_FILE

# Not "tmp": other programs use the layout too, and users see this name in it.
TEMP_DIR = ".img-tmp"


def create_layout(root: Path, *, in_state: bool = False) -> None:
    """Make ``root`` an empty layout unless it is a layout already.

    A layout ``in_state`` is closed to other users until its owner shares it: then all of it can be
    read except what only img needs. Raises StoreFull, StateError.
    """
    try:
        if in_state:
            make_directories(str(root))
        make_directories(str(root / "blobs"), READABLE_MODE if in_state else UMASK_MODE)
    except OSError as error:
        raise_state_error(error, str(root))
    # The index first: a directory with the file oci-layout is always complete.
    _add(root, INDEX_FILE, encode_index(Index()))
    _add(root, LAYOUT_FILE, LAYOUT_CONTENT)


def remove_temp_dir(root: Path) -> None:
    """Delete the temporary directory, unless a process uses it."""
    for name in (TEMP_DIR, own_name(TEMP_DIR)):
        with contextlib.suppress(OSError):
            (root / name).rmdir()


def check_output_layout(root: Path) -> None:
    """Raise NotOwn if links in an untrusted layout lead its blobs out of it.

    Blobs are written there, and deleted.
    """
    blobs = root / "blobs"
    for directory in (blobs, *(blobs.iterdir() if blobs.is_dir() else ())):
        if directory.is_symlink():
            raise NotOwn(str(directory), f"{directory} is a link")


def _add(root: Path, name: str, content: bytes) -> None:
    if (root / name).exists():
        return
    file = NewFile(str(root), str(root / TEMP_DIR))
    try:
        file.write(content)
        file.publish(name)  # keeps the index that another process may have created meanwhile
    finally:
        file.discard()


@contextmanager
def written_to(directory: str) -> Iterator[None]:
    """Report errors inside as errors of an output layout instead of the state.

    Raises OutputNotWritten.
    """
    try:
        yield
    except (OSError, StateError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        reason = cause.strerror if isinstance(cause, OSError) else error
        raise OutputNotWritten(f"cannot write {directory}: {reason}") from error
