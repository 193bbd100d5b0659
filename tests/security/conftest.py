"""The fixtures of the end-to-end tests, for attacks that take an installed img."""

from tests.e2e.conftest import (
    busybox,
    busybox_layout,
    img_for,
    installed,
    registry,
    user,
    warm_img,
    workplace,
    write_context,
)

__all__ = [
    "busybox",
    "busybox_layout",
    "img_for",
    "installed",
    "registry",
    "user",
    "warm_img",
    "workplace",
    "write_context",
]
