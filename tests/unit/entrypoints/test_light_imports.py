"""Imports of libraries without the modules that img does not use."""

import subprocess
import sys

import pytest

_LIBRARY = """
import sys
from img.entrypoints import light_imports
with light_imports.without({"fractions": ("gcd", "Fraction")}, packages=("sched",)):
    import fractions
    from fractions import Fraction as Made
    try:
        import sched
    except ModuleNotFoundError as error:
        assert error.name == "sched"
assert "fractions" not in sys.modules
"""


@pytest.mark.parametrize(
    "use",
    [
        "assert str(Made(1, 2)) == '1/2'; assert 'fractions' in sys.modules",
        "assert fractions.Fraction('0.5') == 0.5",
        "import fractions as real; assert real.Fraction(1, 2).limit_denominator() == 0.5",
        "import sched; assert sched.scheduler",
        "assert not hasattr(fractions, 'no_such_name')",
    ],
)
def test_a_deferred_module_is_the_real_one_when_it_is_used(use: str) -> None:
    subprocess.run([sys.executable, "-c", _LIBRARY + use], check=True)


def test_a_module_that_is_imported_already_stays() -> None:
    program = (
        "import fractions, sys\n"
        "from img.entrypoints import light_imports\n"
        "with light_imports.without({'fractions': ()}):\n"
        "    import fractions as same\n"
        "assert same is fractions is sys.modules['fractions']\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_module_may_be_used_in_the_block() -> None:
    program = (
        "import sys\n"
        "from img.entrypoints import light_imports\n"
        "with light_imports.without({'fractions': ()}):\n"
        "    import fractions\n"
        "    class Half(fractions.Fraction): pass\n"
        "assert Half(1, 2) == 0.5 and sys.modules['fractions'].Fraction in Half.__mro__\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
