"""The version of img with a digest of its code: builds of one version may differ."""

import hashlib
import os
from functools import cache
from pathlib import Path

import img
from img import __version__

_PARTS = ("adapters", "application", "domain", "entrypoints")
_DIGITS = 12


@cache
def code_version() -> str:
    """Return the version as ``1.2+DIGEST``; the digest is that of the names and texts of modules.

    Two machines with the same text make and read the same records, keys and layers.
    """
    assert img.__file__ is not None
    root = Path(img.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(_modules(root)):
        content = (root / path).read_bytes()
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return f"{__version__}+{digest.hexdigest()[:_DIGITS]}"


def _modules(root: Path) -> list[str]:
    """Return the paths of all modules, relative to ``root``."""
    return [
        os.path.relpath(os.path.join(directory, name), root)
        for part in _PARTS
        for directory, _, names in os.walk(root / part)
        for name in names
        if name.endswith(".py")
    ]
