"""The state directory: its owner, its writers, and the modes of its content.

Unpacked layers contain set-user-ID programs, so all but ``layout`` is closed to other users
(docs/adr/0028-the-state-is-private.md).
"""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from enum import Enum

from img.adapters.storage.directory_writers import is_trusted, other_users_write, user_name
from img.adapters.storage.own_files import PRIVATE_MODE, make_directories, open_own_directory
from img.domain.errors import StateError

# The directories that img creates directly below the state. The first ones hold files with the
# modes that images give them, or unverified bytes.
_PRIVATE_DIRECTORIES = (
    "snapshots",
    "mounts",
    "tmp",
    "incoming",
    "trash",
    "blobs",
    "indexes",
    "leases",
    "history",
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
_MOST_LINKS = 40  # the kernel's limit


def trusts_everyone(environment: Mapping[str, str]) -> bool:
    """Tell whether $IMG_STATE_TRUSTED says that no other user reaches the state."""
    return environment.get("IMG_STATE_TRUSTED", "") not in ("", "0", "false")


class StateAccess(Enum):
    """The access of this user to a state."""

    OWN = "own"  # full access
    FOREIGN = "foreign"  # read access to the images that its owner shares


class StateNotSafe(StateError):
    """Another user can change the content of the state directory."""

    def __init__(self, state: str, why: str, remedy: str = "") -> None:
        other = "choose a state directory of your own with --state"
        super().__init__(
            f"the state directory {state} is not safe: {why}",
            hint=f"{remedy}; or {other}" if remedy else other,
        )


def open_state(path: str, *, trusted: bool = False) -> StateAccess:
    """Verify the state directory at the absolute ``path``, and close it to other users.

    A missing directory is created if another user could create it first; otherwise the first
    command that writes creates it. With ``trusted`` the modes of the state and its parents are not
    checked: the caller guarantees that no other user reaches them. Raises StateNotSafe, StateError.
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
    """Check the state and all directories on the way to it, also those behind links."""
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
    # While there is no state, only this user or root can create it.
    return _access(path, *found, trusted=trusted) if found else StateAccess.OWN


def _steps(path: str) -> Iterator[tuple[str, str | None]]:
    """Yield each directory on the way to ``path`` with the name that is looked up in it.

    The last one is the state itself, without a name, or its nearest existing parent.
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
    """Check a name in a directory where every user may create names and only delete their own."""
    try:
        status = os.lstat(entry)
    except FileNotFoundError:
        make_directories(path, PRIVATE_MODE)  # now, before another user creates it
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
    """Tell whether a parent belongs to the owner of a read-only state.

    That user may change the state anyway.
    """
    try:
        state = os.stat(path)
    except OSError:
        return False
    return state.st_uid == status.st_uid and not os.access(path, os.W_OK, effective_ids=True)


def _restrict_directory(state: str, path: str, taken: int) -> None:
    """Remove the bits ``taken`` from the mode of a directory, which may be behind a link."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISDIR(status.st_mode) or not status.st_mode & taken:
        return
    others_write = other_users_write(path, status)
    if status.st_uid != os.geteuid() or status.st_mode & stat.S_ISVTX:
        # Another user's directory, or the /tmp of a machine, given with --state /.
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
