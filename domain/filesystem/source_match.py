"""Files that the source words of COPY and ADD match."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, NoReturn

from img.domain.errors import BuildError
from img.domain.filesystem import paths
from img.domain.filesystem.entry import SOCKET, SYMLINK
from img.domain.filesystem.tree import FileTree
from img.domain.go.path_match import BadPattern, compile_pattern, has_wildcards


class SourceNotFound(BuildError):
    """A source without wildcards that does not exist (BuildKit's message)."""

    def __init__(self, path: str, *, hint: str | None = None) -> None:
        super().__init__(f'"/{path}": not found', hint=hint)
        self.path = path


class NoDirectory(BuildError):
    """A file of a build context in a place where wildcards need a directory."""

    def __init__(self, path: str, word: str) -> None:
        super().__init__(f"/{path} is no directory: nothing in it can match {word}")
        self.path = path


class NoSocket(BuildError):
    """A socket that a source names; sockets that a wildcard matches are skipped."""

    def __init__(self, path: str) -> None:
        super().__init__(f"/{path} is a socket, which no image can hold", hint="leave it out")
        self.path = path


class BadSource(BuildError):
    """A source with malformed wildcards."""


class SourceMatch(NamedTuple):
    """One file or directory that a source word matches."""

    path: str  # as named; the last part is the name of a copied file
    resolved: str  # with links followed; the copied path
    pattern: str = ""  # --parents: the pattern below, in the language of .dockerignore; "": all
    prefix: tuple[str, ...] = ()  # --parents: the names of the directories down to the pattern
    required: str = ""  # --parents: the path that must exist; "": a wildcard, or all


def match_sources(
    source: FileTree, words: Sequence[str], parents: bool = False, *, in_context: bool = True
) -> Iterator[SourceMatch]:
    """Yield the matches of ``words``, in their order; those of a wildcard are sorted by name.

    A wildcard in an existing directory may match nothing; a plain path must exist (fsutil,
    copy/copy.go, resolveWildcards). A wildcard below a file matches nothing in a stage; in a build
    context, where BuildKit lists that directory first, it is an error (fsutil, followlinks.go,
    isNotFound). Raises SourceNotFound, NoDirectory, BadSource, TooManyLinks, ClosedDirectory.
    """
    for word in words:
        if parents:
            yield from _match_with_parents(source, word, in_context)
        else:
            yield from _match(source, word, in_context)


def _match(source: FileTree, word: str, in_context: bool) -> Iterator[SourceMatch]:
    paths_found, by_wildcard = _expand(source, word, in_context)
    for path in paths_found:
        resolved = find_source(source, path)
        if not _is_socket(source, resolved):
            yield SourceMatch(path, resolved)
        elif not by_wildcard:
            raise NoSocket(resolved)


def _is_socket(source: FileTree, path: str) -> bool:
    entry = source.get(path)
    return entry is not None and entry.kind == SOCKET


def _match_with_parents(source: FileTree, word: str, in_context: bool) -> Iterator[SourceMatch]:
    # The pivot "/./" separates the dropped part from the kept part (Dockerfile reference, "COPY
    # --parents"). Links below it are not followed.
    above, pivot, below = word.partition("/./")
    start, pattern = (above, below) if pivot else ("", word)
    pattern = paths.clean(pattern)
    required = ""
    if not has_wildcards(start) and not has_wildcards(pattern):
        required = paths.clean(f"{start}/{pattern}")
    prefix = tuple(_plain_parts(pattern)) if pattern else ()
    for path in _expand(source, start, in_context)[0]:
        resolved = find_source(source, path)
        if pattern and not source.is_directory(resolved):
            if required:
                refuse_missing(source, required)
            if in_context:  # BuildKit transfers no file that only the part above the pivot matches
                continue
        yield SourceMatch(path, resolved, pattern, prefix, required)


def _plain_parts(pattern: str) -> Iterator[str]:
    for part in pattern.split("/"):
        if any(char in part for char in "*?[\\"):  # a backslash is an escape in .dockerignore
            return
        yield part


def _expand(source: FileTree, word: str, in_context: bool) -> tuple[list[str], bool]:
    """Return the matches of ``word``, and whether it has wildcards.

    Links are followed only in its part before the first wildcard. Raises SourceNotFound if that
    part does not exist, NoDirectory if it is a file of a build context.
    """
    path = paths.clean(word)
    parts = path.split("/")
    plain = 0
    while plain < len(parts) and not has_wildcards(parts[plain]):
        plain += 1
    if plain == len(parts):
        return [path], False
    try:
        patterns = [compile_pattern(part) for part in parts[plain:]]
    except BadPattern as error:
        raise BadSource(f"{error} in {word}") from None
    start = find_source(source, "/".join(parts[:plain]))
    if in_context and not source.is_directory(start):
        raise NoDirectory(start, word)
    return _match_parts(source, start, patterns), True


def _match_parts(source: FileTree, start: str, patterns: Sequence[re.Pattern[str]]) -> list[str]:
    found = [start]
    for pattern in patterns:
        found = [
            paths.below(directory, name)
            for directory in found
            for name in source.names(directory)
            if pattern.fullmatch(name)
        ]
    return found


def refuse_missing(source: FileTree, path: str) -> NoReturn:
    """Raise SourceNotFound for a missing path of --parents; links in it are not followed."""
    source.refuse_closed(path)
    if _is_socket(source, path):
        raise NoSocket(path)
    for directory in [*paths.ancestors(path), path]:
        entry = source.get(directory)
        if entry is not None and entry.kind == SYMLINK and directory != path:
            hint = f"/{directory} is a link to {entry.link}, and --parents follows no links"
            raise SourceNotFound(path, hint=hint)
    raise SourceNotFound(path, hint=_suggestion(source, path))


def find_source(source: FileTree, path: str) -> str:
    """Return the resolved ``path``, which is no pattern. Raises SourceNotFound, ClosedDirectory."""
    resolved = source.resolve(path)
    source.refuse_closed(resolved)
    if source.get(resolved) is None:
        raise SourceNotFound(path, hint=_suggestion(source, path))
    return resolved


def _suggestion(source: FileTree, path: str) -> str | None:
    import difflib

    directory = ""
    for part in path.split("/"):
        named = f"{directory}/{part}"
        here = source.resolve(named)
        if source.get(here) is not None:
            directory = here
            continue
        entry = source.get(source.resolve(named, follow=False))
        if entry is not None:  # a dangling link is copied as a link
            return f"/{entry.path} is a link to {entry.link}, and there is no /{here}"
        close = difflib.get_close_matches(part, source.names(directory), n=1)
        return f"did you mean /{paths.clean(f'{directory}/{close[0]}')}?" if close else None
    return None
