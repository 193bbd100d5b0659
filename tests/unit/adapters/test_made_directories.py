"""Directories are created in one place, so that none is open to other users by accident."""

import ast

from tests.support.host.machine import REPOSITORY

# Not below the state: outputs get the user's umask, control groups are the kernel's, and the rest
# is in the root of a step or in a new directory with the mode 0700.
_ALLOWED = {
    "cluster_launcher/batch.py",  # for logs of jobs, where the user says
    "output_files/local.py",
    "control_groups/legacy.py",
    "control_groups/unified.py",
    "executor/chroot_watcher.py",
    "executor/first_process.py",
    "linux/overlay_trial.py",
}


def test_directories_of_the_state_are_made_by_make_directories() -> None:
    adapters = REPOSITORY / "adapters"
    found = {
        str(path.relative_to(adapters))
        for path in adapters.rglob("*.py")
        if _calls_makedirs(ast.parse(path.read_text()))
    }

    assert found <= _ALLOWED


def _calls_makedirs(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr == "makedirs" for node in ast.walk(tree)
    )
