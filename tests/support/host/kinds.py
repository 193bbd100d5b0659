"""Kinds of users that some tests are for, and the tests that run these for the others.

A test with the mark of a kind is left out for all other users, as one that was not asked for: the
run that is named here has it. So is root's run of a test with the mark `any_user`, in which the
same code serves root and users. What is skipped is lacking on this machine.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from img.adapters.linux import userns

_EXTENTS = [
    line.split() for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of user."""

    is_ours: bool
    run: str  # the test that runs ``files`` as such a user
    files: tuple[str, ...]


def there_is_one_id() -> bool:
    """Tell whether this is root of a user namespace with one id."""
    alone = [extent[2] for extent in _EXTENTS] == ["1"]
    return alone and userns.may_mount(userns.real_user())


KINDS: Mapping[str, Kind] = {
    "plain_user": Kind(
        is_ours=os.geteuid() != 0,
        run="tests/integration/test_plain_user.py",
        files=(
            "tests/contracts/test_blob_store.py",
            "tests/contracts/test_executor.py",
            "tests/integration/test_escapes.py",
            "tests/integration/test_proot.py",
            "tests/integration/test_step_terminal.py",
            "tests/integration/test_volumes.py",
            "tests/security/test_foreign_root.py",
            "tests/unit/adapters/build_context/test_directory.py",
            "tests/unit/adapters/credential_store/test_auth_files.py",
            "tests/unit/adapters/storage/test_sqlite.py",
        ),
    ),
    "user_namespace": Kind(
        is_ours=_EXTENTS != [["0", "0", "4294967295"]],
        run="tests/integration/test_userns.py",
        files=(
            "tests/contracts/test_executor.py",
            "tests/integration/test_unshare.py",
            "tests/integration/test_unshare_isolation.py",
            "tests/integration/test_denied_calls.py",
            "tests/security/test_kernel_surface.py",
        ),
    ),
    "one_id": Kind(
        is_ours=there_is_one_id(),
        run="tests/integration/test_one_id.py",
        files=(
            "tests/integration/test_emulation.py",
            "tests/security/test_kernel_surface.py",
            "tests/security/test_foreign_root.py",
            "tests/security/test_supervisors.py",
        ),
    ),
}


# The roots of steps that the runtimes are not tried on: img makes both kinds before it starts one.
_REPEATED = {("crun", "directory"), ("runc", "overlay")}


def is_for_others(item: pytest.Item) -> bool:
    """Tell whether the test is for a kind of user that we are not, or another one is enough.

    Raises UsageError for a test that would never be run.
    """
    if isinstance(item, pytest.Function) and "IMG_TESTS_ALL" not in os.environ:
        given = _parameters(item)
        if item.get_closest_marker("all_tests"):
            return True
        if item.get_closest_marker("any_user") and given.get("img") == "root":
            return True
        if (given.get("executor"), given.get("root")) in _REPEATED:
            return True
    file = item.nodeid.partition("::")[0]
    for name, kind in KINDS.items():
        if item.get_closest_marker(name) and not kind.is_ours:
            if file not in kind.files:
                raise pytest.UsageError(f"{file}: {kind.run} does not run its tests ({__file__})")
            return True
    return False


def _parameters(item: pytest.Function) -> Mapping[str, object]:
    return item.callspec.params if hasattr(item, "callspec") else {}
