"""The visible parts of the lower layers while a layer is unpacked."""

from collections.abc import Callable

from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, Entry


class LayersBelow:
    """The lower layers, as far as no whiteout and no file of this layer hides them.

    Paths are placed: only their last component may be a link. ``place`` and ``implied`` are those
    of LayerArchive.unpack.
    """

    def __init__(self, place: Callable[[str], str], implied: Callable[[str], Entry | None]) -> None:
        self._place = place
        self._implied = implied
        self._hidden: set[str] = set()
        # directories with hidden content, which are visible themselves
        self._opaque: set[str] = set()

    def hide(self, path: str) -> None:
        """Record that ``path`` is hidden."""
        self._hidden.add(path)

    def hide_names_in(self, path: str) -> None:
        """Record that the content of the directory ``path`` is hidden."""
        self._opaque.add(path)

    def directory(self, path: str) -> Entry | None:
        """Return the visible directory at ``path``, None if there is none."""
        if path in self._hidden or not self.is_name_visible(path) or self._resolved(path) != path:
            return None
        entry = self._implied(path)
        return entry if entry is not None and entry.kind == DIRECTORY else None

    def link_at(self, path: str) -> str | None:
        """Return the target of the visible link at ``path``; None if there is none."""
        if not self.is_name_visible(path):
            return None
        resolved = self._resolved(path)
        return None if resolved == path else f"/{resolved}"

    def is_name_visible(self, path: str) -> bool:
        """Tell whether the file or link ``path`` of the lower layers is visible."""
        parent = paths.parent(path)
        # If the parent is a link in the lower layers, this layer has a directory instead of that
        # link.
        return (
            path not in self._hidden
            and (not path or self.is_content_visible(parent))
            and self._resolved(parent) == parent
        )

    def is_content_visible(self, path: str) -> bool:
        """Tell whether the lower content of ``path`` may be visible."""
        if not self._hidden and not self._opaque:
            return True
        around = ["", *paths.ancestors(path), path]
        return not any(each in self._hidden or each in self._opaque for each in around)

    def _resolved(self, path: str) -> str:
        return paths.parent(self._place(f"{path}/x")) if path else ""
