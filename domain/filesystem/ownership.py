"""Who "user:group" is, by an image's own passwd and group files."""

from collections.abc import Iterator

from img.domain.dataclass import dataclass
from img.domain.errors import BuildError
from img.domain.kernel_numbers import is_id

_MOST = 2**31 - 1  # what moby/sys/user accepts
_DIGITS = 19  # of the numbers in passwd and group that it reads


class UnknownUser(BuildError):
    """A user name that the image's /etc/passwd does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unable to find user {name}: no matching entries in passwd file")
        self.name = name


class UnknownGroup(BuildError):
    """A group name that the image's /etc/group does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unable to find group {name}: no matching entries in group file")
        self.name = name


class IdOutOfRange(BuildError):
    """A number that is no uid or gid."""

    def __init__(self, number: str) -> None:
        super().__init__(f"{number[:40]}: uids and gids must be in range 0-{_MOST}")
        self.number = number


class ImpossibleId(BuildError):
    """A user or group of the image whose number no process can have."""

    def __init__(self, name: str, number: int, file: str) -> None:
        super().__init__(
            f"{name!a} has the number {number} in the image's /etc/{file}: no process can have it",
            hint="choose another user, or correct the file in an earlier RUN or COPY",
        )
        self.name = name
        self.number = number


@dataclass(frozen=True, slots=True, kw_only=True)
class UserIdentity:
    """What a process becomes: ids, all its groups (the primary one first), and its home."""

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
    """Return who USER's ``text`` (``user[:group]``, names or numbers; "" is root) stands for.

    As runc and BuildKit read it (moby/sys/user, GetExecUser): a number need not exist, a name
    must; supplementary groups count only where no group is given. The primary group is among
    ``groups`` (CVE-2022-36109). Raises UnknownUser, UnknownGroup, IdOutOfRange, ImpossibleId.
    """
    user_text, _, group_text = text.partition(":")
    user_text = user_text or "0"
    user = _find_user(user_text, passwd)
    if user is None:
        if not _is_number(user_text):
            raise UnknownUser(user_text)
        user = _User("", _id_of(user_text), 0, "/")
    gid = _find_gid(group_text, group) if group_text else user.gid
    groups = [gid]
    if user.name and not group_text:
        groups += [_gid_of(one) for one in _groups(group) if user.name in one.members]
    return UserIdentity(
        uid=user.uid, gid=gid, groups=tuple(dict.fromkeys(groups)), home=user.home or "/"
    )


def lookup_owner(text: str, passwd: str, group: str) -> tuple[int, int]:
    """Return the (uid, gid) that ``--chown=text`` gives to files.

    A user's number also names the group, a user's name brings its own group, and "user:" means
    group 0; root is 0 even where no file says so (BuildKit, solver/llbsolver/file/user_linux.go).
    Raises UnknownUser, UnknownGroup, IdOutOfRange, ImpossibleId.
    """
    user_text, colon, group_text = text.partition(":")
    if not user_text or _is_number(user_text):
        uid = gid = _id_of(user_text or "0")
    else:
        user = _find_user(user_text, passwd)
        if user is None and user_text != "root":
            raise UnknownUser(user_text)
        uid, gid = (user.uid, user.gid) if user else (0, 0)
    if group_text:
        gid = _find_gid(group_text, group)
    elif colon:
        gid = 0
    return uid, gid


def _find_user(text: str, passwd: str) -> _User | None:
    number = _id_of(text) if _is_number(text) else None
    for user in _users(passwd):
        if user.name == text or user.uid == number:
            for id_ in (user.uid, user.gid):
                if not is_id(id_):
                    raise ImpossibleId(user.name, id_, "passwd")
            return user
    return None


def _find_gid(text: str, group: str) -> int:
    if _is_number(text):
        return _id_of(text)
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
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip().split(":")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_id(text: str) -> bool:
    return _is_number(text) and len(text) <= _DIGITS


def _id_of(text: str) -> int:
    digits = text.lstrip("0") or "0"
    if len(digits) > 10 or int(digits) > _MOST:
        raise IdOutOfRange(text)
    return int(digits)
