"""Runs a program as on a machine that lacks something: ``python poor_files.py LACK PROGRAM …``.

A system call filter lets the calls fail as NFS, Lustre, FUSE and profiles of containers do, also in
all child processes.
"""

import errno
import os
import sys

from img.adapters.syscall_supervisor.bpf import (
    HasBits,
    IsOneOf,
    Rule,
    fail_with,
    load,
    program,
    this_machine,
)

_TMPFILE = 0o20000000  # the bit of O_TMPFILE alone
_LOCK_COMMANDS = (6, 7, 37, 38)  # F_SETLK, F_SETLKW and their F_OFD_ forms
_UNSUPPORTED = fail_with(errno.EOPNOTSUPP)


def _without_locks(error: int) -> list[Rule]:
    return [
        Rule("flock", fail_with(error)),
        Rule("fcntl", fail_with(error), (IsOneOf(1, _LOCK_COMMANDS),)),
    ]


RULES = {
    "nothing": [],
    "O_TMPFILE": [Rule("openat", _UNSUPPORTED, (HasBits(2, _TMPFILE),))],
    "pivot_root": [
        Rule("pivot_root", fail_with(errno.EPERM))
    ],  # Docker's and containerd's profiles
    "attributes": [
        Rule(f"{follow}{how}xattr", _UNSUPPORTED)
        for follow in ("", "l", "f")
        for how in ("set", "get", "list", "remove")
    ],
    "locks": _without_locks(errno.ENOSYS),  # Lustre without its mount option "flock"
    "lock manager": _without_locks(errno.ENOLCK),  # NFS
    "lock support": _without_locks(errno.EOPNOTSUPP),  # FUSE
}


def main(lacking: str, *command: str) -> None:
    """Load the filter for ``lacking``, and become ``command``."""
    machine = this_machine()
    assert machine is not None
    load(program(machine, RULES[lacking]))
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
