"""Permanent restrictions of this process and its descendants (landlock(7))."""

import errno
import os
import struct
from collections.abc import Sequence
from enum import IntFlag
from functools import cache

from img.adapters.linux import syscalls


class Access(IntFlag):
    """Access rights for files (linux/landlock.h, LANDLOCK_ACCESS_FS_*)."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13  # since version 2
    TRUNCATE = 1 << 14  # since version 3
    IOCTL_DEV = 1 << 15  # since version 5


READING = Access.EXECUTE | Access.READ_FILE | Access.READ_DIR
ALL = Access((1 << 16) - 1)

_OF_FILES = (
    Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV
)
_SINCE = {Access.REFER: 2, Access.TRUNCATE: 3, Access.IOCTL_DEV: 5}
_WITH_FILES = 2  # the version that first lets files move between directories
_WITH_SCOPES = 6
_ABSTRACT_UNIX_SOCKET, _SIGNAL = 1, 2  # LANDLOCK_SCOPE_*
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH = 1
_UNAVAILABLE = (errno.ENOSYS, errno.EOPNOTSUPP)


@cache
def version() -> int:
    """Return the version of the Landlock interface of this kernel, 0 for none."""
    try:
        return syscalls.landlock_create_ruleset(b"", _VERSION)
    except OSError as error:
        if error.errno not in _UNAVAILABLE:
            raise
        return 0


def handles_files() -> bool:
    """Tell whether this kernel can restrict access to files."""
    return bool(handled_access(version()))


def restrict(files: Sequence[tuple[int, Access]] | None = None) -> None:
    """Deny this process access to abstract sockets and signals outside of its own descendants.

    ``files`` are descriptors of the accessible files and directories with their access rights; None
    does not restrict files. Requires CAP_SYS_ADMIN or no_new_privs. Restrictions that the kernel
    does not support are left out. Raises OSError.
    """
    handled, attributes = plan(files=files is not None)
    if not attributes:
        return
    ruleset = syscalls.landlock_create_ruleset(attributes, 0)
    try:
        if handled:
            for descriptor, access in files or ():
                rule = path_rule(access & handled, descriptor)
                syscalls.landlock_add_rule(ruleset, _PATH_BENEATH, rule)
        syscalls.landlock_restrict_self(ruleset)
    finally:
        os.close(ruleset)


@cache
def plan(*, files: bool) -> tuple[Access, bytes]:
    """Return the file access rights to handle, and the attributes of a ruleset, empty for none.

    The result is cached for processes that are forked later.
    """
    handled = handled_access(version()) if files else Access(0)
    attributes = ruleset_attributes(version(), handled)
    return handled, attributes if any(attributes) else b""


def handled_access(known: int) -> Access:
    """Return the file access rights that version ``known`` can restrict, none before version 2."""
    if known < _WITH_FILES:
        return Access(0)
    late = [access for access, since in _SINCE.items() if known < since]
    return ALL & ~sum(late)


def ruleset_attributes(known: int, handled: Access) -> bytes:
    """Return ``struct landlock_ruleset_attr`` with the fields that version ``known`` has."""
    if known < _WITH_SCOPES:
        return struct.pack("Q", handled)
    return struct.pack("QQQ", handled, 0, _ABSTRACT_UNIX_SOCKET | _SIGNAL)


def path_rule(access: Access, descriptor: int) -> bytes:
    """Return ``struct landlock_path_beneath_attr``, which is packed."""
    if not os.path.isdir(descriptor):
        access &= _OF_FILES
    return struct.pack("=Qi", access, descriptor)
