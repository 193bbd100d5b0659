"""The emulated ids of a process, and the rules of their changes (credentials(7), setresuid(2))."""

from dataclasses import replace
from typing import Self

from img.domain.dataclass import dataclass

_UNCHANGED = 0xFFFF_FFFF  # -1


@dataclass(frozen=True, slots=True)
class Ids:
    """The user ids of a process, or its group ids."""

    real: int
    effective: int
    saved: int
    filesystem: int

    @classmethod
    def all(cls, value: int) -> Self:
        """Return ids that all have the same value."""
        return cls(value, value, value, value)

    def set(self, value: int, *, privileged: bool) -> "Ids":
        """Return the ids after setuid(2). Raises PermissionError."""
        if value == _UNCHANGED:
            raise ValueError(value)
        if privileged:
            return Ids.all(value)
        if value not in (self.real, self.saved):
            raise PermissionError
        return replace(self, effective=value, filesystem=value)

    def set_two(self, real: int, effective: int, *, privileged: bool) -> "Ids":
        """Return the ids after setreuid(2). Raises PermissionError."""
        allowed = privileged or (
            real in (_UNCHANGED, self.real, self.effective)
            and effective in (_UNCHANGED, self.real, self.effective, self.saved)
        )
        if not allowed:
            raise PermissionError
        keeps_saved = real == _UNCHANGED and effective in (_UNCHANGED, self.real)
        real = self.real if real == _UNCHANGED else real
        effective = self.effective if effective == _UNCHANGED else effective
        return Ids(real, effective, self.saved if keeps_saved else effective, effective)

    def set_three(self, real: int, effective: int, saved: int, *, privileged: bool) -> "Ids":
        """Return the ids after setresuid(2). Raises PermissionError."""
        mine = (_UNCHANGED, self.real, self.effective, self.saved)
        if not privileged and not {real, effective, saved} <= set(mine):
            raise PermissionError
        real = self.real if real == _UNCHANGED else real
        effective = self.effective if effective == _UNCHANGED else effective
        saved = self.saved if saved == _UNCHANGED else saved
        return Ids(real, effective, saved, effective)

    def set_filesystem(self, value: int, *, privileged: bool) -> "Ids":
        """Return the ids after setfsuid(2), which never fails."""
        if privileged or value in (self.real, self.effective, self.saved):
            return self if value == _UNCHANGED else replace(self, filesystem=value)
        return self

    def executing(self, owner: int | None) -> "Ids":
        """Return the ids after execve(2); ``owner`` is the owner of a file with the set-ID bit."""
        effective = self.effective if owner is None else owner
        return Ids(self.real, effective, effective, effective)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The ids of a process and its supplementary groups."""

    user: Ids
    group: Ids
    groups: tuple[int, ...] = ()
    privileged: bool = False  # it has root's capabilities
    keeps_privileges: bool = False  # also when none of its ids is root's (PR_SET_KEEPCAPS)

    def with_user(self, user: Ids) -> "Credentials":
        """Return the credentials after a change of user ids (capabilities(7), "Effect of")."""
        keeps = self.privileged and self.keeps_privileges
        return replace(self, user=user, privileged=user.effective == 0 or keeps)

    def executing(self, uid: int | None, gid: int | None) -> "Credentials":
        """Return the credentials after execve(2) of a program with the owners' set-ID bits."""
        user = self.user.executing(uid)
        return Credentials(
            user, self.group.executing(gid), self.groups, privileged=user.effective == 0
        )

    def as_real(self) -> "Credentials":
        """Return the credentials with the real ids as the effective ones (access(2))."""
        user, group = (replace(ids, filesystem=ids.real) for ids in (self.user, self.group))
        return replace(self, user=user, group=group)

    def is_in(self, gid: int) -> bool:
        """Tell whether the process has the rights of that group."""
        return gid == self.group.filesystem or gid in self.groups


def credentials_of(uid: int, gid: int, groups: tuple[int, ...]) -> Credentials:
    """Return the credentials of a new process."""
    return Credentials(Ids.all(uid), Ids.all(gid), groups, privileged=uid == 0)
