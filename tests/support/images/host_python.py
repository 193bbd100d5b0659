"""An archive of this machine's Python and of pip, which runs on an image that has nothing else."""

import io
import re
import subprocess
import sys
import tarfile
from importlib.metadata import distribution
from pathlib import Path

_LEFT_OUT = (
    "__pycache__",
    "pydoc_data",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "lib2to3",
    "EXTERNALLY-MANAGED",
)
# Of the extension modules with libraries, those that pip imports.
_MODULES = ("_ssl", "_hashlib", "_ctypes", "_bz2", "_lzma")


def archive_of_python() -> bytes:
    """Return a tar archive with /usr/bin/python3, its library, and pip."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = Path("/usr/bin", version).resolve()
    library = Path("/usr/lib", version)
    extensions = [next(library.glob(f"lib-dynload/{name}.*"), None) for name in _MODULES]
    pip = Path(str(distribution("pip").locate_file("pip")))
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(python, "usr/bin/python3")
        for path in _libraries([python, *filter(None, extensions)]):
            archive.add(path.resolve(), str(path).lstrip("/"))
        archive.add(library, str(library).lstrip("/"), filter=_needed)
        archive.add(pip, f"usr/local/lib/{version}/dist-packages/pip", filter=_needed)
    return content.getvalue()


def _needed(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(entry.name).name
    return None if name in _LEFT_OUT or name.startswith("config-") else entry


def _libraries(files: list[Path]) -> set[Path]:
    listed = subprocess.run(["ldd", *files], check=True, capture_output=True, text=True).stdout
    return {Path(found) for found in re.findall(r"(?:=> |^\t)(/\S+) \(0x", listed, re.MULTILINE)}
