"""What a layer that is being unpacked leaves to be seen of the layers below it."""

from collections.abc import Callable

from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, Entry


class LayersBelow:
    """The layers below, as far as no whiteout and no file of this layer hides them.

    Paths are placed: only their last component may be a link. ``place`` and ``implied`` are those
    of LayerArchive.unpack.
    """

    def __init__(self, place: Callable[[str], str], implied: Callable[[str], Entry | None]) -> None:
        self._place = place
        self._implied = implied
        self._hidden: set[str] = set()
        self._opaque: set[str] = set()  # directories whose names are hidden, not they themselves

    def hide(self, path: str) -> None:
        """Take note that nothing of ``path`` shows any more."""
        self._hidden.add(path)

    def hide_names_in(self, path: str) -> None:
        """Take note that nothing in the directory ``path`` shows any more."""
        self._opaque.add(path)

    def directory(self, path: str) -> Entry | None:
        """Return the directory that shows at ``path``, None where none does."""
        if path in self._hidden or not self.shows_name(path) or self._resolved(path) != path:
            return None
        entry = self._implied(path)
        return entry if entry is not None and entry.kind == DIRECTORY else None

    def link_at(self, path: str) -> str | None:
        """Return where the link that shows at ``path`` leads; None where there is none."""
        if not self.shows_name(path):
            return None
        resolved = self._resolved(path)
        return None if resolved == path else f"/{resolved}"

    def shows_name(self, path: str) -> bool:
        """Tell whether what is called ``path`` below, be it a link, shows."""
        parent = paths.parent(path)
        # Where the parent leads elsewhere below, this layer has a directory instead of that link.
        return (
            path not in self._hidden
            and (not path or self.shows_in(parent))
            and self._resolved(parent) == parent
        )

    def shows_in(self, path: str) -> bool:
        """Tell whether what is in ``path`` below may show."""
        if not self._hidden and not self._opaque:
            return True
        around = ["", *paths.ancestors(path), path]
        return not any(each in self._hidden or each in self._opaque for each in around)

    def _resolved(self, path: str) -> str:
        return paths.parent(self._place(f"{path}/x")) if path else ""
