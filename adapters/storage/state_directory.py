"""The state directory: who owns it, who else may write it, and the modes of what is in it.

Layers are unpacked in it with their set-user-ID programs, so all but ``layout`` is closed to other
users (docs/adr/0028-the-state-is-private.md).
"""

import errno
import os
import stat
from collections.abc import Iterator
from enum import Enum

from img.adapters.storage.directory_writers import is_trusted, other_users_write, user_name
from img.adapters.storage.own_files import PRIVATE_MODE, make_directories, open_own_directory
from img.domain.errors import StateError

# What img makes directly below the state. The first ones hold files with the modes that images
# give them, or bytes that nobody has verified yet.
_PRIVATE_DIRECTORIES = (
    "snapshots",
    "mounts",
    "tmp",
    "incoming",
    "trash",
    "blobs",
    "indexes",
    "leases",
    "reserve",
    "layout/.img-tmp",
    "layout/.img-trash",
    "layout/.img-own",
)
_PRIVATE_FILES = ("state.db", "state.db-wal", "state.db-shm", "lock")
_SHARED_DIRECTORIES = ("layout", "layout/blobs", "layout/blobs/sha256")
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_OR_TRUSTED = "; or, where no other user runs, as in a pod, set IMG_STATE_TRUSTED=1"
_MOST_LINKS = 40  # as many as the kernel follows


class StateAccess(Enum):
    """What this user may do with a state."""

    OWN = "own"  # all
    FOREIGN = "foreign"  # read the images that its owner shares


class StateNotSafe(StateError):
    """Another user can change what is in the state directory."""

    def __init__(self, state: str, why: str, remedy: str = "") -> None:
        other = "choose a state directory of your own with --state"
        super().__init__(
            f"the state directory {state} is not safe: {why}",
            hint=f"{remedy}; or {other}" if remedy else other,
        )


def open_state(path: str, *, trusted: bool = False) -> StateAccess:
    """Verify the state directory at the absolute ``path``, and close to others what has to be.

    One that does not exist is made where another user could make it first; else it is left to the
    first command that writes. With ``trusted`` the modes of the state and its parents decide
    nothing: the caller vouches that no other user reaches them. Raises StateNotSafe, StateError.
    """
    try:
        access = _verified(path, trusted=trusted)
        if access is StateAccess.OWN:
            for name in _PRIVATE_DIRECTORIES:
                _restrict_directory(path, f"{path}/{name}", _OTHERS)
            for name in _SHARED_DIRECTORIES:
                _restrict_directory(path, f"{path}/{name}", _OTHERS_WRITE)
            for name in _PRIVATE_FILES:
                _restrict_file(f"{path}/{name}")
        elif not os.access(f"{path}/layout/index.json", os.R_OK, effective_ids=True):
            raise StateError(
                f"the state directory {path} belongs to another user "
                f"({_owner(os.stat(path))}), who shares no images",
                hint="choose one of your own with --state",
            )
    except OSError as error:
        raise StateError(
            f"the state directory {path} cannot be used: {error.strerror or error}",
            hint="choose another one with --state",
        ) from error
    return access


def _verified(path: str, *, trusted: bool) -> StateAccess:
    """Check the state and all directories that lead to it, where links lead as well."""
    open_to_others: dict[str, int] = {}  # modes of directories
    found: tuple[str, os.stat_result] | None = None
    for directory, entry in _steps(path):
        status = os.lstat(directory)
        if entry is None:
            found = (directory, status)
            break
        if not (is_trusted(directory, status) or _is_of_owner(path, status)):
            raise StateNotSafe(path, f"{directory} belongs to another user ({_owner(status)})")
        if not trusted and other_users_write(directory, status):
            if not status.st_mode & stat.S_ISVTX:
                open_to_others[directory] = stat.S_IMODE(status.st_mode)
            elif not open_to_others:
                _check_entry(path, f"{directory.rstrip('/')}/{entry}")
    if open_to_others:
        first, mode = next(iter(open_to_others.items()))
        raise StateNotSafe(
            path,
            f"other users can write to {first} (mode {mode:04o})",
            f"as its owner, chmod go-w {' '.join(open_to_others)}{_OR_TRUSTED}",
        )
    # Where there is none yet, only this user or root can make it.
    return _access(path, *found, trusted=trusted) if found else StateAccess.OWN


def _steps(path: str) -> Iterator[tuple[str, str | None]]:
    """Yield each directory that the kernel goes through to ``path``, and the name it takes there.

    The last one is the state itself, without a name; where that is missing, its nearest parent is
    the last.
    """
    todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    directory = "/"
    links = 0
    while todo:
        name = todo.pop()
        yield directory, name
        found = f"{directory.rstrip('/')}/{name}" if name != ".." else os.path.dirname(directory)
        try:
            kind = os.lstat(found).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISLNK(kind):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = os.readlink(found)
            todo += [part for part in reversed(target.split("/")) if part not in ("", ".")]
            directory = "/" if target.startswith("/") else directory
        elif stat.S_ISDIR(kind):
            directory = found
        else:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    yield directory, None


def _check_entry(path: str, entry: str) -> None:
    """Check a name in a directory in which everybody makes names, and keeps to his own."""
    try:
        status = os.lstat(entry)
    except FileNotFoundError:
        make_directories(path, PRIVATE_MODE)  # now, before another user does
        status = os.lstat(entry)
    if not is_trusted(entry, status):
        raise StateNotSafe(path, f"{entry} belongs to another user ({_owner(status)})")


def _access(path: str, directory: str, status: os.stat_result, *, trusted: bool) -> StateAccess:
    if not trusted and other_users_write(directory, status):
        raise StateNotSafe(
            path,
            f"other users can write to it (mode {stat.S_IMODE(status.st_mode):04o})",
            f"as its owner, chmod go-w {directory}{_OR_TRUSTED}",
        )
    if status.st_uid == os.geteuid():
        return StateAccess.OWN
    if not os.access(directory, os.W_OK, effective_ids=True):
        return StateAccess.FOREIGN
    if is_trusted(directory, status):
        return StateAccess.OWN  # root gave it to this user's group, as with volumes of Kubernetes
    raise StateNotSafe(path, f"it belongs to another user ({_owner(status)})")


def _is_of_owner(path: str, status: os.stat_result) -> bool:
    """Tell whether a parent is of a user whose state is only read: he may change it anyway."""
    try:
        state = os.stat(path)
    except OSError:
        return False
    return state.st_uid == status.st_uid and not os.access(path, os.W_OK, effective_ids=True)


def _restrict_directory(state: str, path: str, taken: int) -> None:
    """Take the bits ``taken`` from the mode of a directory, which may be reached by a link."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISDIR(status.st_mode) or not status.st_mode & taken:
        return
    others_write = other_users_write(path, status)
    if status.st_uid != os.geteuid() or status.st_mode & stat.S_ISVTX:
        # Not ours to change, or the /tmp of a machine, where --state / is given.
        if others_write:
            raise StateNotSafe(state, f"other users can write to {path}", f"chmod 0700 {path}")
        return
    descriptor = open_own_directory(os.path.realpath(path))
    try:
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & ~taken)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
    finally:
        os.close(descriptor)


def _restrict_file(path: str) -> None:
    try:
        status = os.lstat(path)
        if status.st_mode & _OTHERS and status.st_uid == os.geteuid() and _is_file(status):
            os.chmod(path, stat.S_IMODE(status.st_mode) & ~_OTHERS)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.EROFS:
            raise


def _is_file(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode)


def _owner(status: os.stat_result) -> str:
    return user_name(status.st_uid)
