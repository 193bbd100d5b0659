"""The names with which a layer deletes lower files (image-spec layer.md, "Whiteouts")."""

from img.application.ports.layer_archive import InvalidLayer
from img.domain.filesystem import paths
from img.domain.filesystem.file_index import WHITEOUT_PREFIX


def check_whiteout(path: str) -> None:
    """Raise InvalidLayer for a whiteout that would hide its own directory, or the one above."""
    name = paths.name(path)
    if name.startswith(WHITEOUT_PREFIX) and name[len(WHITEOUT_PREFIX) :] in ("", ".", ".."):
        raise InvalidLayer(f"/{path} is no valid whiteout")
