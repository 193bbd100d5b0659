"""The names by which a layer says what is gone (image-spec layer.md, "Whiteouts")."""

from img.application.ports.layer_archive import InvalidLayer
from img.domain.filesystem import paths
from img.domain.filesystem.file_index import OPAQUE_WHITEOUT, WHITEOUT_PREFIX

_AUFS_PREFIX = ".wh..wh."


def check_whiteout(path: str) -> None:
    """Raise InvalidLayer for a whiteout that would hide its own directory, or the one above."""
    name = paths.name(path)
    if name.startswith(WHITEOUT_PREFIX) and name[len(WHITEOUT_PREFIX) :] in ("", ".", ".."):
        raise InvalidLayer(f"/{path} is no valid whiteout")


def is_aufs_leftover(path: str) -> bool:
    """Tell whether ``path`` is what AUFS kept for itself in a root; old Docker layers have it."""
    top = path.partition("/")[0]
    return top.startswith(_AUFS_PREFIX) and top != OPAQUE_WHITEOUT
