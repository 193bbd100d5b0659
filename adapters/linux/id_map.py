"""Kinds of id maps."""

from enum import Enum


class IdMap(Enum):
    """The kind of mapping between ids inside and outside, which snapshots depend on."""

    SAME = "same"  # the process is root already: no user namespace is needed
    SUBORDINATE = "subordinate"  # 0 is the user; ids from 1 on are the user's subordinate ids
    SINGLE = "single"  # 0 is the user, and there are no other ids
