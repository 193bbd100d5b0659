"""Contract suites: tests that every adapter of a port passes.

A module has the name of its port and holds a class, such as ``BlobStoreContract``. Subclass it in
a test module of your package and provide the fixtures that its docstring names (docs/extending.md).
Importing this package requires pytest.
"""

import pkgutil

import pytest

_SUITES = (f"{__name__}.{suite.name}" for suite in pkgutil.iter_modules(__path__))
pytest.register_assert_rewrite(*_SUITES)  # failed assertions then show their operands
