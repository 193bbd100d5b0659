"""The loader of PRoot: a small program that PRoot contains, writes to /tmp, and executes there."""

import os
import struct
from collections.abc import Mapping

TMP = "/tmp"
_TMP_VARIABLE = "PROOT_TMP_DIR"  # known to PRoot 5.2 and newer
_LOADER_VARIABLE = "PROOT_LOADER"
_MAGIC = b"\x7fELF\x02"  # of 64-bit programs
# e_shoff, e_shentsize and e_shnum (elf(5)): the table of sections is the last part of a program.
_TABLE_OFFSET, _TABLE_SIZES = 0x28, 0x3A


def loader_directory(env: Mapping[str, str], usual: str = TMP) -> str | None:
    """Return the directory that PRoot may execute its loader in, None if there is none.

    ``usual`` is the directory that PRoot chooses. It may be mounted noexec or read-only.
    """
    directory = env.get(_TMP_VARIABLE) or usual
    if env.get(_LOADER_VARIABLE):
        return directory
    try:
        is_noexec = bool(os.statvfs(directory).f_flag & os.ST_NOEXEC)
    except OSError:
        return None
    usable = not is_noexec and os.access(directory, os.W_OK | os.X_OK)
    return directory if usable else None


def write_loader(program: str, directory: str) -> dict[str, str]:
    """Write the loader of the PRoot at ``program`` to a new file in ``directory``.

    Return the variables for PRoot; without one for the loader if PRoot contains none.
    """
    variables = {_TMP_VARIABLE: directory}
    with open(program, "rb") as file:
        loader = _loader_in(file.read())
    if loader:
        path = f"{directory}/loader"
        with open(path, "xb") as copy:
            copy.write(loader)
        os.chmod(path, 0o555)  # it belongs to root for steps with emulated owners
        variables[_LOADER_VARIABLE] = path
    return variables


def _loader_in(program: bytes) -> bytes:
    """Return the 64-bit program inside of another program, empty if there is none."""
    start = program.find(_MAGIC, 1)
    if start < 0:
        return b""
    try:
        (offset,) = struct.unpack_from("<Q", program, start + _TABLE_OFFSET)
        size, count = struct.unpack_from("<HH", program, start + _TABLE_SIZES)
    except struct.error:
        return b""
    return program[start : start + offset + size * count]
