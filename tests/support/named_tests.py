"""The names of all tests, for documents that name tests as proofs."""

import re

from tests.support.host.machine import REPOSITORY

_FILES = (
    *(REPOSITORY / "tests").rglob("test_*.py"),
    *(REPOSITORY / "testing").glob("*.py"),  # the contract suites
)
TEST_NAMES = frozenset(
    name
    for file in _FILES
    for name in re.findall(r"^ *def (test_\w+)\(", file.read_text("utf-8"), re.MULTILINE)
)
