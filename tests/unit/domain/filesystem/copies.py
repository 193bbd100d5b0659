"""Trees from a few words, and COPY's choice of them."""

import fnmatch
from collections.abc import Callable, Sequence

from img.domain.filesystem.entry import DIRECTORY, FILE, SYMLINK, Entry
from img.domain.filesystem.file_index import FileIndex
from img.domain.filesystem.selection import (
    CopyRules,
    Selection,
    select,
)
from img.domain.filesystem.tree import FileTree


def a_tree(*words: str) -> FileTree:
    """``a/`` a directory, ``a->b`` a link, anything else a file that holds its own path."""
    entries = []
    for word in words:
        path, arrow, link = word.partition("->")
        if arrow:
            entries.append(Entry(path, SYMLINK, 0o777, link=link))
        elif path.endswith("/"):
            entries.append(Entry(path[:-1], DIRECTORY, 0o755, mtime=7))
        else:
            entries.append(Entry(path, FILE, 0o644, size=3, mtime=5, digest=f"sum of {path}"))
    return FileTree.of([FileIndex.of(entries)])


def matching(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a simple .dockerignore test: a pattern includes all paths below a match."""

    def test(path: str) -> bool:
        parts = path.split("/")
        tops = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        return any(
            top.count("/") == pattern.count("/") and fnmatch.fnmatchcase(top, pattern)
            for top in tops
            for pattern in patterns
        )

    return test


def copy(
    source: FileTree, *sources: str, to: str, onto: FileTree | None = None, **more: object
) -> Selection:
    rules = CopyRules(sources=sources, destination=to, **more)  # type: ignore[arg-type]
    return select(source, rules, onto or FileTree(), matching=matching)


def shown(selection: Selection) -> list[str]:
    """``path <- source`` for files, ``path/`` for directories."""
    return [
        f"{item.entry.path}/"
        if item.entry.kind == DIRECTORY
        else f"{item.entry.path}->{item.entry.link}"
        if item.entry.link
        else f"{item.entry.path} <- {item.source}"
        for item in selection.items
    ]
