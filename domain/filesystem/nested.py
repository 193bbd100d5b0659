"""Sets of paths with quick access to those below a path."""

from collections.abc import Iterable

from img.domain.filesystem import paths


class Nested:
    """A set of paths; those below a path are found without a search of the others."""

    def __init__(self, found: Iterable[str] = ()) -> None:
        self._inside: dict[str, set[str]] = {}  # by directory, also those outside of the set
        for path in found:
            self.add(path)

    def add(self, path: str) -> None:
        """Add ``path``, which is clean."""
        while path:
            directory = paths.parent(path)
            inside = self._inside.setdefault(directory, set())
            if path in inside:
                return  # its parents are known too
            inside.add(path)
            path = directory

    def take_below(self, path: str) -> list[str]:
        """Remove and return all paths below ``path``, with the directories between."""
        taken: list[str] = []
        todo = [path]
        while todo:
            inside = self._inside.pop(todo.pop(), ())
            taken += inside
            todo += inside
        return taken
