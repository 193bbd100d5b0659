"""A mark for tests that mount overlays."""

from typing import TypeVar, cast

import pytest

from tests.support.snapshots.snapshot_lab import needs_overlay

Test = TypeVar("Test")


def real(test: Test) -> Test:
    """Mark what mounts overlays and needs root for it."""
    return cast(Test, pytest.mark.userns(needs_overlay(test)))
