"""The two files that make a folder an OCI image layout."""

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

# Not "tmp": the layout may be somebody's, who should hardly ever see a stranger's file.
NURSERY = ".img-tmp"


def create_layout(root: Path, *, in_state: bool = False) -> None:
    """Make ``root`` a layout without images unless it is a layout already.

    One ``in_state`` is closed to other users until its owner opens it: then all but what img alone
    needs in it can be read. Raises StoreFull, StateError.
    """
    try:
        if in_state:
            make_directories(str(root))
        make_directories(str(root / "blobs"), READABLE_MODE if in_state else UMASK_MODE)
    except OSError as error:
        raise_state_error(error, str(root))
    # The index first: whoever finds oci-layout finds a whole layout.
    _add(root, INDEX_FILE, encode_index(Index()))
    _add(root, LAYOUT_FILE, LAYOUT_CONTENT)


def remove_nursery(root: Path) -> None:
    """Remove the directory for drafts, if there is one and nobody is at work in it."""
    for name in (NURSERY, own_name(NURSERY)):
        with contextlib.suppress(OSError):
            (root / name).rmdir()


def check_output_layout(root: Path) -> None:
    """Refuse a layout that anybody may have made, if blobs in it lead out of it. Raises NotOwn.

    Blobs are written there, and deleted.
    """
    blobs = root / "blobs"
    for directory in (blobs, *(blobs.iterdir() if blobs.is_dir() else ())):
        if directory.is_symlink():
            raise NotOwn(str(directory), f"{directory} is a link")


def _add(root: Path, name: str, content: bytes) -> None:
    if (root / name).exists():
        return
    file = NewFile(str(root), str(root / NURSERY))
    try:
        file.write(content)
        file.publish(name)  # which keeps the index that another process may have begun meanwhile
    finally:
        file.discard()


@contextmanager
def written_to(directory: str) -> Iterator[None]:
    """Tell what goes wrong inside as of a layout that somebody wants there, not as of the state.

    Raises OutputNotWritten.
    """
    try:
        yield
    except (OSError, StateError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        reason = cause.strerror if isinstance(cause, OSError) else error
        raise OutputNotWritten(f"cannot write {directory}: {reason}") from error
