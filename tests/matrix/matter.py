"""The inputs of the matrix: the context, and the base images."""

import shutil
from pathlib import Path

from tests.matrix.context import write_context


def make_matter(place: Path, busybox: Path, debian: Path) -> None:
    """Fill ``place`` from two OCI layouts."""
    (place / "context").mkdir(mode=0o755)
    write_context(place / "context")
    shutil.copytree(busybox, place / "busybox")
    shutil.copytree(debian, place / "debian")
