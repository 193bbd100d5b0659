"""The preparation of a process that forks commands of img, which would each do the same again.

It saves half of the time of a small build. The text of this module runs in the environment that
img is installed in, where the tests are not.
"""

import gc
import pkgutil
from contextlib import suppress
from importlib import import_module

_OF_EXTRAS = ("img.entrypoints.cli.explorer",)  # the package of the extra need not be there


def warm_up() -> None:
    """Import all modules of img, and prepare its data classes."""
    for name in ("img.domain", "img.application", "img.adapters", "img.entrypoints"):
        for module in pkgutil.walk_packages(import_module(name).__path__, f"{name}."):
            if module.name not in _OF_EXTRAS:
                import_module(module.name)
    with suppress(ImportError):
        _prepare_data_classes()
    gc.freeze()


def _prepare_data_classes() -> None:
    from img.domain.dataclass import _Facts

    for facts in gc.get_objects():
        if isinstance(facts, _Facts):
            with suppress(NameError):  # of annotations for type checkers alone
                _ = facts.positional, facts.compared, facts.hashed
