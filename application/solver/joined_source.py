"""Sources of an ADD of several kinds: files, downloads and repositories."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

from img.application.solver.sources import Source
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem import paths
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.source_match import SourceMatch, match_sources
from img.domain.filesystem.tree import FileTree
from img.domain.go.path_match import literal


@dataclass(frozen=True, slots=True)
class _Origin:
    source: Source
    path: str


class JoinedSource(Source):
    """The files that the words of an ADD match, each under a number: ``0/name``, ``1`` …

    Links are followed in the source of the file.
    """

    def __init__(self, named: Iterable[tuple[Source, str]]) -> None:
        self._origins: dict[str, _Origin] = {}
        self._sources: list[Source] = []
        words: list[str] = []
        entries: list[Entry] = [Entry("", DIRECTORY, 0o755)]
        for source, word in named:
            for match in match_sources(source.tree(), [word], in_context=source.is_context):
                words.append(literal(self._add(source, match, str(len(words)), entries)))
        self.words: Sequence[str] = words
        self._tree = FileTree.of_files(entries)

    def tree(self) -> FileTree:
        return self._tree

    def origin(self, path: str) -> Source:
        """Return the source that the file ``path`` is from."""
        return self._origins[path].source

    def key(self) -> Digest | None:
        return None

    def dated(self) -> bool:
        return any(origin.source.dated() for origin in self._origins.values())

    def learn(self, paths: Iterable[str]) -> Mapping[str, str]:
        return {
            ours: digest
            for source, theirs in self._by_source(paths)
            for path, digest in source.learn(theirs).items()
            for ours in theirs[path]
        }

    def packed(self, digests: Iterable[tuple[str, str]]) -> None:
        known = dict(digests)
        for source, theirs in self._by_source(known):
            source.packed((path, known[ours[0]]) for path, ours in theirs.items())

    def contents(self, paths: Iterable[str]) -> Callable[[str], BinaryIO]:
        openers = {id(source): source.contents(theirs) for source, theirs in self._by_source(paths)}

        def open_file(path: str) -> BinaryIO:
            origin = self._origins[path]
            return openers[id(origin.source)](origin.path)

        return open_file

    def _add(self, source: Source, match: SourceMatch, number: str, entries: list[Entry]) -> str:
        """Add the files of ``match``; return their word in this source."""
        tree = source.tree()
        tree.refuse_closed(match.resolved, below=True)
        if tree.is_directory(match.resolved):
            word = number
        else:
            entries.append(Entry(number, DIRECTORY, 0o755))
            word = f"{number}/{paths.name(match.path)}"
        for entry in tree.walk(match.resolved):
            below = entry.path[len(match.resolved) :].strip("/")
            here = f"{word}/{below}" if below else word
            entries.append(entry._replace(path=here))
            self._origins[here] = _Origin(source, entry.path)
        return word

    def _by_source(self, paths: Iterable[str]) -> Iterator[tuple[Source, dict[str, list[str]]]]:
        """Yield each source, with those of ``paths`` that are from it by their paths there."""
        found: dict[int, tuple[Source, dict[str, list[str]]]] = {}
        for path in paths:
            origin = self._origins[path]
            _, theirs = found.setdefault(id(origin.source), (origin.source, {}))
            theirs.setdefault(origin.path, []).append(path)
        yield from found.values()
