"""A directory of a tar archive, as an archive of its own."""

import posixpath
import tarfile
from typing import BinaryIO

from img.domain.errors import ContextError


def copy_directory(archive: BinaryIO, directory: str, target: BinaryIO) -> None:
    """Write the entries below ``directory`` of ``archive`` to ``target``, an archive.

    Nothing is unpacked. Raises ContextError, also for a hard link to a file outside of the
    directory.
    """
    prefix = _clean(directory) + "/"
    is_there = False
    try:
        with (
            tarfile.open(fileobj=archive, mode="r|*") as source,
            tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as made,
        ):
            for entry in source:
                name = _clean(entry.name)
                is_there = is_there or f"{name}/" == prefix
                if not name.startswith(prefix):
                    continue
                is_there = True
                entry.name = name.removeprefix(prefix)
                # The names are written anew.
                entry.pax_headers = {
                    key: value
                    for key, value in entry.pax_headers.items()
                    if key not in ("path", "linkpath")
                }
                if entry.islnk():
                    target_name = _clean(entry.linkname)
                    if not target_name.startswith(prefix):
                        raise ContextError(
                            f"{name} is a hard link to {target_name}, outside of {directory}",
                            hint="build from the whole context, with -f",
                        )
                    entry.linkname = target_name.removeprefix(prefix)
                made.addfile(entry, source.extractfile(entry) if entry.isreg() else None)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise ContextError(f"the context is no tar archive: {error}") from None
    if not is_there:
        raise ContextError(f"the context has no directory {directory}")


def _clean(name: str) -> str:
    return posixpath.normpath(f"/{name}").lstrip("/")
