"""The code of processes in a root that an image made: no late import, no open by name."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

from img.adapters.executor import (
    chroot_watcher,
    emulated_identity,
    first_process,
    proc_supervision,
    pseudo_terminal,
    supervision,
)
from tests.support.host.machine import REPOSITORY

_PROCESSES = (
    *(first_process, emulated_identity, pseudo_terminal, chroot_watcher),
    *(proc_supervision, supervision),
)
_UNFIT = {
    *("pickle", "marshal", "shelve", "traceback", "linecache", "importlib", "runpy", "locale"),
    *("zoneinfo", "pwd", "grp", "subprocess", "tempfile", "logging", "warnings", "inspect"),
}
# Before the root is entered: what is imported, or opened by its name, by which function.
_BEFORE = {
    "adapters/executor/first_process.py": {
        *("_identity", "_terminal_of", "enter_control_groups"),
    },
    "adapters/executor/chroot_watcher.py": {"_fill_sys", "_run_step"},
    "adapters/executor/mounts.py": {"host_file"},
    "adapters/executor/launch.py": {"write_launch"},
    "adapters/executor/mount_points.py": {"text_in"},
    "adapters/linux/hierarchies.py": {"_lines"},
    "adapters/storage/left_secrets.py": {"_new", "_sweep_one", "_parent"},
    "adapters/syscall_supervisor/proc/mount_tables.py": {"_mounted_at"},
    "domain/dataclass.py": {"_written_initializer"},  # its text is made of names of fields
}


def _imported(source: Path) -> Iterator[str]:
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _source(module: str) -> Path | None:
    if not module.startswith("img."):
        return None
    path = REPOSITORY / Path(*module.split(".")[1:]).with_suffix(".py")
    return path if path.is_file() else None


def sources() -> list[Path]:
    """Return the sources of all that such a process has imported."""
    todo = [module.__name__ for module in _PROCESSES]
    found: dict[Path, None] = {}
    while todo:
        source = _source(todo.pop())
        if source is not None and source not in found:
            found[source] = None
            todo += _imported(source)
    return list(found)


def test_the_sources_of_these_processes_are_found() -> None:
    names = {str(source.relative_to(REPOSITORY)) for source in sources()}
    assert {*_BEFORE, "adapters/syscall_supervisor/root/creation.py", "domain/process.py"} <= names


@pytest.mark.parametrize("source", sources(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_process_of_a_foreign_root_imports_late_or_opens_by_name(source: Path) -> None:
    before = _BEFORE.get(str(source.relative_to(REPOSITORY)), set())
    tree = ast.parse(source.read_text())
    assert not {name.partition(".")[0] for name in _imported(source)} & _UNFIT
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name in before:
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom) or _opens_by_name(node):
                raise AssertionError(f"{source.name}:{node.lineno} in {function.name}")


def _opens_by_name(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("open", "__import__", "exec", "eval", "compile")
        and not isinstance(node.args[0], ast.Call)  # open(os.open(...)): a descriptor
    )
