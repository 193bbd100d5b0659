"""Lookup of "user:group" in an image's passwd and group files."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from img.domain.dataclass import dataclass
from img.domain.errors import BuildError
from img.domain.kernel_numbers import is_id

_MOST = 2**31 - 1  # the range that moby/sys/user accepts
_NUMBER = re.compile(r"[+-]?[0-9]+")  # the syntax of Go's strconv
_LARGEST = 2**63 - 1  # of Go's int, which larger numbers in passwd and group files become
_OF_THE_KERNEL = 2**32  # a negative number is the id from there down, as in Go's uint32
_UNCHANGED = _OF_THE_KERNEL - 1  # in chown(2); a new file belongs to root before that


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
    ``groups`` (CVE-2022-36109). Two numbers may be any that the kernel has (BuildKit
    executor/oci/user.go, ParseUIDGID). Raises UnknownUser, UnknownGroup, IdOutOfRange,
    ImpossibleId.
    """
    user_text, group_text, *_ = [*text.split(":"), ""]
    user_text = user_text or "0"
    if ids := _two_numbers(text):
        uid, gid = ids
        home = next((user.home for user in _users(passwd) if user.uid == uid), "")
        return UserIdentity(uid=uid, gid=gid, groups=(gid,), home=home or "/")
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
    "root" is always 0, an unknown user is root, and an unknown group changes nothing. A number
    beyond 32 bits with sign is a name. Raises ImpossibleId.
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
            gid = _named_gid(group_text, group)
        except UnknownGroup as error:
            unknown.append(error)
    return Owner(uid, gid, tuple(unknown))


def _owner_number(text: str) -> int | None:
    if text in ("", "root"):
        return 0
    if not _NUMBER.fullmatch(text):
        return None
    number = _as_integer(text)
    if not -_MOST - 1 <= number <= _MOST:
        return None
    id_ = number % _OF_THE_KERNEL
    return 0 if id_ == _UNCHANGED else id_


def _two_numbers(text: str) -> tuple[int, int] | None:
    """Return the ids of ``uid:gid``, None if it is something else."""
    numbers = []
    for part in text.split(":", 1):
        if part != "root" and not re.fullmatch(r"[0-9]+", part):
            return None
        number = 0 if part == "root" else _as_integer(part)
        if not is_id(number):
            return None
        numbers.append(number)
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


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
    return _named_gid(text, group)


def _named_gid(text: str, group: str) -> int:
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
        name, _, uid, gid, _, home, *_ = [*fields, *[""] * 6]
        yield _User(name, _number_in_file(uid), _number_in_file(gid), home)


def _groups(group: str) -> Iterator[_Group]:
    for fields in _rows(group):
        name, _, gid, members, *_ = [*fields, *[""] * 4]
        if not name.startswith("#"):
            yield _Group(name, _number_in_file(gid), tuple(filter(None, members.split(","))))


def _rows(text: str) -> Iterator[list[str]]:
    for line in text.split("\n"):  # only "\n" ends a line: neither form feeds nor U+2028
        if line := line.strip():
            yield line.split(":")


def _number_in_file(text: str) -> int:
    """Return the id in a field; 0 for a missing or malformed one (moby/sys/user, parseParts)."""
    number = _as_integer(text) if _NUMBER.fullmatch(text) else 0
    return number if number >= 0 else number % _OF_THE_KERNEL


def _as_integer(text: str) -> int:
    """Return the number of a text of any length, within Go's range."""
    digits = text.lstrip("+-0")[: len(str(_LARGEST)) + 1] or "0"
    number = min(int(digits), _LARGEST)
    return -number if text.startswith("-") else number


def _number(text: str) -> int | None:
    """Return the id in ``text``, None for a name. Raises IdOutOfRange."""
    if not _NUMBER.fullmatch(text):
        return None
    number = _as_integer(text)
    if not 0 <= number <= _MOST:
        raise IdOutOfRange(text)
    return number
