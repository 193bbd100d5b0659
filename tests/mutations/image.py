"""A root file system for steps that change files: perl, a shell and a few programs of the host."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.mutations.lab import MUTATE
from tests.support.host.machine import program

_PROGRAMS = ("perl", "sh", "cp", "tar", "chown", "mknod")
_OWN_FILES = """
use strict; use warnings; use Fcntl qw(:mode); use POSIX (); use Exporter::Heavy; use DynaLoader;
print join "\\n", grep { m{^/} } values %INC, @DynaLoader::dl_shared_objects;
"""


def make_root(root: Path, *programs: str) -> None:
    """Make the directory ``root`` with all that ``mutate.pl`` needs, and more ``programs``."""
    for name in ("bin", "files", "seen"):
        (root / name).mkdir(parents=True)
    shutil.copy(MUTATE, root / MUTATE.name)
    own = subprocess.run(
        (program("perl"), "-e", _OWN_FILES), check=True, capture_output=True, text=True
    )
    files = {*own.stdout.splitlines()}
    for name in (*_PROGRAMS, *programs):
        path = program(name)
        shutil.copy(path, root / "bin" / name)
        files |= _libraries(path)
    for library in [path for path in files if path.endswith(".so")]:
        files |= _libraries(library)
    for path in files:
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)


def _libraries(path: str) -> set[str]:
    listed = subprocess.run((program("ldd"), path), check=True, capture_output=True, text=True)
    return set(re.findall(r"(?:=> |^\s*)(/\S+) \(", listed.stdout, re.MULTILINE))
