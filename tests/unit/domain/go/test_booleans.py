"""Booleans as Go reads them."""

import pytest

from img.domain.go.booleans import parse_boolean


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_go_reads_these_as_true(text: str) -> None:
    assert parse_boolean(text) is True


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_go_reads_these_as_false(text: str) -> None:
    assert parse_boolean(text) is False


@pytest.mark.parametrize("text", ["", "yes", "on", "tRUE", " true", "2", "-1"])
def test_everything_else_is_no_boolean(text: str) -> None:
    assert parse_boolean(text) is None
