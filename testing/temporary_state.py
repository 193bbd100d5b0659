"""State directories that end with a test run."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_state() -> Iterator[Path]:
    """Enter with an empty state directory, which is removed at the end."""
    place = Path(tempfile.mkdtemp(prefix="img-state-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if place.exists():  # unpacked layers belong to the user's subordinate ids
            remove = [sys.executable, "-m", "img", "unshare", "rm", "-rf", str(place)]
            subprocess.run(remove, check=False, capture_output=True)
