"""Fixtures of the example."""

from __future__ import annotations

from pathlib import Path

import pytest

import img
from img.testing.plugin import ImageBuilder

APP = Path(__file__).parent / "app"


@pytest.fixture(scope="session")
def app(img_build: ImageBuilder) -> img.Image:
    """Return the image of the app, which is built once for all tests."""
    return img_build(APP, tag="example/app", build_arg={"VERSION": "1.2"})
