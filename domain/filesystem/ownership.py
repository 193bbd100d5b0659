"""Lookup of "user:group" in an image's passwd and group files."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from img.domain.dataclass import dataclass
from img.domain.errors import BuildError
from img.domain.kernel_numbers import is_id

_MOST = 2**31 - 1  # the range that moby/sys/user accepts
_NUMBER = re.compile(r"[+-]?[0-9]+")  # the syntax of Go's strconv
_DIGITS = 19  # the range of numbers in passwd and group files


class UnknownUser(BuildError):
    """A user name that is not in the image's /etc/passwd."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unable to find user {name}: no matching entries in passwd file")
        self.name = name


class UnknownGroup(BuildError):
    """A group name that is not in the image's /etc/group."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unable to find group {name}: no matching entries in group file")
        self.name = name


class IdOutOfRange(BuildError):
    """A number that is not a uid or gid."""

    def __init__(self, number: str) -> None:
        super().__init__(f"{number[:40]}: uids and gids must be in range 0-{_MOST}")
        self.number = number


class ImpossibleId(BuildError):
    """A user or group with a number that the kernel does not accept."""

    def __init__(self, name: str, number: int, file: str) -> None:
        super().__init__(
            f"{name!a} has the number {number} in the image's /etc/{file}: no process can have it",
            hint="choose another user, or correct the file in an earlier RUN or COPY",
        )
        self.name = name
        self.number = number


@dataclass(frozen=True, slots=True, kw_only=True)
class UserIdentity:
    """The identity of a process: ids, all groups (the primary one first), home directory."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str = "/"


@dataclass(frozen=True, slots=True)
class _User:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    gid: int
    members: tuple[str, ...]


def lookup_user(text: str, passwd: str, group: str) -> UserIdentity:
    """Return the identity for USER's ``text`` (``user[:group]``, names or numbers; "" is root).

    As in runc and BuildKit (moby/sys/user, GetExecUser), a number need not exist but a name must;
    supplementary groups count only if no group is given. The primary group is among
    ``groups`` (CVE-2022-36109). Raises UnknownUser, UnknownGroup, IdOutOfRange, ImpossibleId.
    """
    user_text, group_text, *_ = [*text.split(":"), ""]
    user_text = user_text or "0"
    number = _number(user_text)
    user = _find_user(number if number is not None else user_text, passwd)
    if user is None:
        if number is None:
            raise UnknownUser(user_text)
        user = _User("", number, 0, "/")
    gid = _find_gid(group_text, group) if group_text else user.gid
    groups = [gid]
    if user.name and not group_text:
        groups += [_gid_of(one) for one in _groups(group) if user.name in one.members]
    return UserIdentity(
        uid=user.uid, gid=gid, groups=tuple(dict.fromkeys(groups)), home=user.home or "/"
    )


class Owner(NamedTuple):
    """The owner of new files: ids, and the names that are not in the image's files."""

    uid: int
    gid: int
    unknown: tuple[UnknownUser | UnknownGroup, ...] = ()


def lookup_owner(text: str, passwd: str, group: str) -> Owner:
    """Return the owner for ``--chown=text``; for WORKDIR, the text is that of USER.

    As in BuildKit (client/llb/fileop.go, WithUser; solver/llbsolver/ops/user_linux.go), a user's
    number is also the group, a user's name implies its primary group, and "user:" means group 0.
    "root" is always 0, an unknown user is root, and an unknown group changes nothing. Raises
    IdOutOfRange, ImpossibleId.
    """
    user_text, colon, group_text = text.partition(":")
    uid, gid, unknown = 0, 0, list[UnknownUser | UnknownGroup]()
    if (number := _owner_number(user_text)) is not None:
        uid = gid = number
    elif user := _find_user(user_text, passwd):
        uid, gid = user.uid, user.gid
    else:
        unknown.append(UnknownUser(user_text))
    if colon and (number := _owner_number(group_text)) is not None:
        gid = number
    elif colon:
        try:
            gid = _find_gid(group_text, group)
        except UnknownGroup as error:
            unknown.append(error)
    return Owner(uid, gid, tuple(unknown))


def _owner_number(text: str) -> int | None:
    return 0 if text in ("", "root") else _number(text)


def _find_user(wanted: str | int, passwd: str) -> _User | None:
    """Return the first user with that name or that number; a name never matches a number."""
    for user in _users(passwd):
        if wanted in (user.name, user.uid):
            for id_ in (user.uid, user.gid):
                if not is_id(id_):
                    raise ImpossibleId(user.name, id_, "passwd")
            return user
    return None


def _find_gid(text: str, group: str) -> int:
    if (number := _number(text)) is not None:
        return number
    for one in _groups(group):
        if one.name == text:
            return _gid_of(one)
    raise UnknownGroup(text)


def _gid_of(group: _Group) -> int:
    if not is_id(group.gid):
        raise ImpossibleId(group.name, group.gid, "group")
    return group.gid


def _users(passwd: str) -> Iterator[_User]:
    for fields in _rows(passwd):
        if len(fields) >= 4 and _is_id(fields[2]) and _is_id(fields[3]):
            home = fields[5] if len(fields) > 5 else ""
            yield _User(fields[0], int(fields[2]), int(fields[3]), home)


def _groups(group: str) -> Iterator[_Group]:
    for fields in _rows(group):
        if len(fields) >= 3 and _is_id(fields[2]):
            members = fields[3].split(",") if len(fields) > 3 else []
            yield _Group(fields[0], int(fields[2]), tuple(members))


def _rows(text: str) -> Iterator[list[str]]:
    for line in text.split("\n"):  # only "\n" ends a line: neither form feeds nor U+2028
        if line.strip() and not line.startswith("#"):
            yield line.strip().split(":")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def _number(text: str) -> int | None:
    """Return the id in ``text``, None for a name. Raises IdOutOfRange."""
    if not _NUMBER.fullmatch(text):
        return None
    if len(text.lstrip("+-0")) > len(str(_MOST)):
        raise IdOutOfRange(text)
    number = int(text.lstrip("+-0") or "0") * (-1 if text.startswith("-") else 1)
    if not 0 <= number <= _MOST:
        raise IdOutOfRange(text)
    return number
