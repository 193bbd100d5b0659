"""The directory in which PRoot executes its loader."""

import os
from collections.abc import Mapping

from img.adapters.linux import container
from img.domain.errors import HostError

TMP = "/tmp"
TMP_VARIABLE = "PROOT_TMP_DIR"


class LoaderNotExecutable(HostError):
    """PRoot has no directory in which it can execute its loader."""


def loader_directory(program: str, env: Mapping[str, str], usual: str = TMP) -> str | None:
    """Return the directory that the PRoot at ``program`` executes its loader in.

    None: the ``usual`` one does not allow it, and this PRoot takes another one from a variable,
    which PRoot 5.1 does not know. Raises LoaderNotExecutable.
    """
    if env.get("PROOT_LOADER"):
        return usual
    given = env.get(TMP_VARIABLE)
    directory = given or usual
    try:
        is_noexec = bool(os.statvfs(directory).f_flag & os.ST_NOEXEC)
    except OSError:
        is_noexec = False
    if not is_noexec and os.access(directory, os.W_OK | os.X_OK):
        return directory
    if not given and _knows_variable(program):
        return None
    fault = "is mounted noexec" if is_noexec else "is not writable"
    raise LoaderNotExecutable(
        f"{directory} {fault}, and PRoot writes and executes its loader there",
        hint=container.remedy(
            f"mount an emptyDir at {directory}", f"start it with --tmpfs {directory}:exec"
        )
        + "; or install PRoot 5.2 or newer",
    )


def _knows_variable(program: str) -> bool:
    with open(program, "rb") as file:
        return TMP_VARIABLE.encode() in file.read()
