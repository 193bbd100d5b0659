"""A map of the bytes of an image: its layers by directory and file, for a treemap."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from img.domain.dataclass import dataclass
from img.domain.filesystem import paths
from img.domain.filesystem.entry import FILE
from img.domain.filesystem.layer_story import Change, LayerStory, Reason
from img.domain.shown_text import shown_in_line

_DEEPEST = 24  # directories; a file below has the rest of its path as its name
_COST = 20  # bytes of a file or directory in a report, without its name


class MappedFile(NamedTuple):
    """A file of one layer."""

    name: str
    size: int  # bytes
    layer: int  # from 0
    reason: Reason | None = None  # why it is wasted


class SmallFiles(NamedTuple):
    """Files of one layer, in a directory or below it, that are too small to be listed."""

    number: int
    size: int  # bytes
    layer: int


@dataclass(frozen=True, slots=True)
class FileMap:
    """A directory; its files and directories are sorted by size, the largest first."""

    name: str
    size: int  # bytes of all files below it
    directories: tuple["FileMap", ...] = ()
    files: tuple[MappedFile, ...] = ()
    small: tuple[SmallFiles, ...] = ()


def map_of(story: LayerStory, budget: int) -> FileMap:
    """Return the map of all files of all layers, also of those that later layers replace.

    It lists the largest files and directories, as many as ``budget`` bytes of a report hold.
    """
    files: dict[str, list[MappedFile]] = {}
    sizes = {"": 0}
    for directory, file in _files_of(story):
        files.setdefault(directory, []).append(file)
        for each in _with_parents(directory):
            sizes[each] = sizes.get(each, 0) + file.size
    for inside in files.values():
        inside.sort(key=lambda file: (-file.size, file.name, file.layer))
    return _Drawing(files, sizes, *_largest(files, sizes, budget)).of("")


def _files_of(story: LayerStory) -> Iterator[tuple[str, MappedFile]]:
    """Yield the files of all layers with their directories; hard links have no bytes."""
    reasons = {(each.layer, each.path): each.reason for each in reversed(story.waste)}
    for layer, changes in enumerate(story.changes):
        for changed in changes:
            entry = changed.entry
            if changed.change is not Change.REMOVED and entry.kind == FILE and entry.size > 0:
                *directories, name = entry.path.split("/", _DEEPEST)
                reason = reasons.get((layer, entry.path))
                file = MappedFile(shown_in_line(name), entry.size, layer, reason)
                yield "/".join(directories), file


def _largest(
    files: Mapping[str, Sequence[MappedFile]], sizes: Mapping[str, int], budget: int
) -> tuple[set[str], Mapping[str, int]]:
    """Return the directories that are listed, and the number of listed files of each."""
    # No directory is smaller than what is in it, so it comes first.
    order = [
        *(
            (-size, path.count("/") + bool(path), path, len(path.encode("utf-8", "replace")))
            for path, size in sizes.items()
        ),
        *(
            (-file.size, _DEEPEST + 1, path, len(file.name.encode()))
            for path, inside in files.items()
            for file in inside
        ),
    ]
    listed, counts = {""}, dict.fromkeys(files, 0)
    for _, depth, path, length in sorted(order):
        budget -= length + _COST
        if budget < 0:
            break
        if depth <= _DEEPEST:
            listed.add(path)
        else:
            counts[path] += 1
    return listed, counts


class _Drawing:
    """The map that is made of directories and files, once it is known which are listed."""

    def __init__(
        self,
        files: Mapping[str, Sequence[MappedFile]],
        sizes: Mapping[str, int],
        listed: set[str],
        counts: Mapping[str, int],
    ) -> None:
        self._files, self._sizes, self._counts = files, sizes, counts
        self._inside: dict[str, list[str]] = {}
        self._small: dict[str, dict[int, SmallFiles]] = {}
        for path in listed - {""}:
            self._inside.setdefault(paths.parent(path), []).append(path)
        for path, inside in files.items():
            place = next(each for each in _with_parents(path) if each in listed)
            for file in inside[counts[path] :]:
                self._add_small(self._small.setdefault(place, {}), file)

    def of(self, path: str) -> FileMap:
        """Return the map of a directory; there are at most _DEEPEST of them in each other."""
        inside = sorted(self._inside.get(path, ()), key=lambda each: (-self._sizes[each], each))
        return FileMap(
            shown_in_line(paths.name(path)),
            self._sizes[path],
            tuple(self.of(each) for each in inside),
            tuple(self._files.get(path, ())[: self._counts.get(path, 0)]),
            tuple(self._small.get(path, {}).values()),
        )

    @staticmethod
    def _add_small(sums: dict[int, SmallFiles], file: MappedFile) -> None:
        before = sums.get(file.layer, SmallFiles(0, 0, file.layer))
        sums[file.layer] = SmallFiles(before.number + 1, before.size + file.size, file.layer)


def _with_parents(path: str) -> Iterator[str]:
    """Yield a directory and those that it is in; "" is the last."""
    while path:
        yield path
        path = paths.parent(path)
    yield ""
