"""The preparation of a process that forks commands of img, which would each do the same again.

It saves half of the time of a small build. The text of this module runs in the environment that
img is installed in, where the tests are not.
"""

import gc
import pkgutil
from contextlib import suppress
from importlib import import_module


def warm_up() -> None:
    """Import all modules of img, and prepare its data classes."""
    for name in ("img.domain", "img.application", "img.adapters", "img.entrypoints"):
        for module in pkgutil.walk_packages(import_module(name).__path__, f"{name}."):
            try:
                import_module(module.name)
            except ModuleNotFoundError as error:  # the package of an extra need not be there
                if (error.name or "img").partition(".")[0] == "img":
                    raise
    with suppress(ImportError):
        _prepare_data_classes()
    gc.freeze()


def _prepare_data_classes() -> None:
    from img.domain.dataclass import _Facts

    for facts in gc.get_objects():
        if isinstance(facts, _Facts):
            with suppress(NameError):  # of annotations for type checkers alone
                _ = facts.positional, facts.compared, facts.hashed
