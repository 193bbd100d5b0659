"""The other users, except root, that may write to a directory."""

import errno
import os
import stat
import struct

_ROOT = 0
_ACL = "system.posix_acl_access"  # acl(5); linux/posix_acl_xattr.h
_ACL_USER, _ACL_GROUP = 0x02, 0x08
_ACL_WRITE = 0x02
_ALL_IDS = ["0", "0", str((1 << 32) - 1)]


def is_trusted(path: str, status: os.stat_result) -> bool:
    """Tell whether the owner of a file is this user, root, or a user outside of the container."""
    return status.st_uid in (_ROOT, os.geteuid()) or _is_from_outside(path, status.st_uid)


def other_users_write(path: str, status: os.stat_result) -> bool:
    """Tell whether the mode or the access control list lets another user write to ``path``.

    A group with only this user and root as members does no harm: if each user has a group of the
    same name, home directories may be writable by it.
    """
    if status.st_mode & stat.S_IWOTH:
        return True
    # With an access control list, the group bits are its mask: the most that it grants (acl(5)).
    if not status.st_mode & stat.S_IWGRP:
        return False
    return not _has_no_others(status.st_gid) or _list_names_others(path)


def user_name(uid: int) -> str:
    """Return the name of a user, or "uid N"."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _is_from_outside(path: str, uid: int) -> bool:
    """Tell whether the owner has no id in this user namespace, as with volumes of a container.

    Such files show the overflow id, which may be the id of a user in the namespace as well.
    Capabilities of root in the namespace do not apply to them (inode_owner_or_capable).
    """
    if uid != _overflow_id():
        return False
    with open("/proc/self/uid_map", encoding="ascii") as lines:
        extents = [line.split() for line in lines]
    if extents == [_ALL_IDS]:
        return False
    if not any(int(first) <= uid < int(first) + int(count) for first, _, count in extents):
        return True
    if os.geteuid() != _ROOT:
        return False
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NOATIME | os.O_NOFOLLOW | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in (errno.EPERM, errno.EACCES)
    return False


def _overflow_id() -> int:
    try:
        with open("/proc/sys/kernel/overflowuid", encoding="ascii") as file:
            return int(file.read())
    except OSError:
        return -1


def _has_no_others(gid: int) -> bool:
    """Tell whether the group has no known members except this user and root."""
    import grp
    import pwd

    if gid == _ROOT:
        return True
    uid = os.geteuid()
    members: set[str] = set()
    group = ""
    try:
        entry = grp.getgrgid(gid)
        members, group = set(entry.gr_mem), entry.gr_name
    except KeyError:  # a made-up id, as Kubernetes assigns
        pass
    try:
        own = pwd.getpwuid(uid)
    except KeyError:
        pass
    else:
        members.discard(own.pw_name)
        # The user database may not list all users: users in it may have the group as their first.
        if group and own.pw_gid == gid and group != own.pw_name:
            return False
    first = (user for user in pwd.getpwall() if user.pw_gid == gid)
    return not members - {"root"} and all(user.pw_uid in (_ROOT, uid) for user in first)


def _list_names_others(path: str) -> bool:
    """Tell whether an access control list lets a named user or group write."""
    try:
        content = os.getxattr(path, _ACL, follow_symlinks=False)
    except OSError:  # there is no access control list
        return False
    for tag, rights, id_ in struct.iter_unpack("<HHI", content[4:]):
        if not rights & _ACL_WRITE:
            continue
        if tag == _ACL_USER and id_ not in (_ROOT, os.geteuid()):
            return True
        if tag == _ACL_GROUP and not _has_no_others(id_):
            return True
    return False
