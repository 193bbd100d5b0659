"""The unit tests mirror the source tree."""

from pathlib import Path

from tests.support.host.machine import REPOSITORY

_UNIT = REPOSITORY / "tests/unit"
_FILES = sorted(path.relative_to(_UNIT) for path in _UNIT.rglob("test_*.py"))


def test_every_folder_of_unit_tests_is_one_of_the_source() -> None:
    assert {str(file.parent) for file in _FILES if not (REPOSITORY / file.parent).is_dir()} == set()


def test_a_unit_test_with_the_name_of_a_module_is_where_the_module_is() -> None:
    assert [str(file) for file in _FILES if _is_elsewhere(file)] == []


def _is_elsewhere(file: Path) -> bool:
    """Tell whether the module of a test is not in the test's folder, but elsewhere in its layer.

    A test of several modules has a name of its own.
    """
    name, layer = file.stem.removeprefix("test_"), REPOSITORY / file.parts[0]
    beside = REPOSITORY / file.parent / name
    return (
        not beside.is_dir()
        and not beside.with_suffix(".py").exists()
        and any(layer.rglob(f"{name}.py"))
    )
