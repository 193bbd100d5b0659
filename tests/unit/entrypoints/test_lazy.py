"""Imports and objects that are deferred until their first use."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

from img.entrypoints import wiring
from img.entrypoints.lazy import LazyName, is_made, lazy

MODULES = [
    "rootless",
    *sorted(f"wiring.{path.stem}" for path in Path(wiring.__path__[0]).glob("[a-z]*.py")),
]


def lazy_names() -> list[tuple[str, LazyName]]:
    """Return every lazy name of the wiring, with its module and name there."""
    return [
        (f"{module}.{name}", value)
        for module in MODULES
        for name, value in vars(import_module(f"img.entrypoints.{module}")).items()
        if isinstance(value, LazyName)
    ]


@pytest.mark.parametrize("lazy_name", [pytest.param(one, id=name) for name, one in lazy_names()])
def test_every_lazy_name_is_something_to_call(lazy_name: LazyName) -> None:
    assert callable(lazy_name.resolve())


def test_the_wiring_imports_lazily() -> None:
    assert len(lazy_names()) > 80


def test_a_lazy_name_imports_its_module_when_it_is_called() -> None:
    program = (
        "import sys\n"
        "from img.entrypoints.lazy import lazy_imports\n"
        "with lazy_imports(__name__):\n"
        "    from fractions import Fraction as Part\n"
        "import ast\n"
        "assert 'fractions' not in sys.modules and ast is sys.modules['ast']\n"
        "assert str(Part(1, denominator=2)) == '1/2'\n"
        "assert 'fractions' in sys.modules\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def test_other_modules_import_as_ever_meanwhile() -> None:
    program = (
        "import sys\n"
        "from img.entrypoints.lazy import LazyName, lazy_imports\n"
        "with lazy_imports('another.module'):\n"
        "    from fractions import Fraction\n"
        "assert not isinstance(Fraction, LazyName) and 'fractions' in sys.modules\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_lazy_object_is_made_when_an_attribute_is_read() -> None:
    made: list[str] = []

    def make(text: str, *, more: str) -> str:
        made.append(text)
        return text + more

    placeholder = lazy(make)("a", more="b")

    assert not made
    assert not is_made(placeholder)
    assert placeholder.upper() == "AB"
    assert is_made(placeholder)
    assert placeholder.lower() == "ab"
    assert made == ["a"]


def test_several_threads_that_use_a_lazy_object_at_once_make_one() -> None:
    made: list[str] = []

    def make() -> Callable[[], str]:
        made.append("one")
        return "answer".upper

    placeholder = lazy(make)()

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(placeholder) for _ in range(50)]]

    assert answers == ["ANSWER"] * 50
    assert len(made) == 1
