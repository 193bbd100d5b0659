"""Patterns for files of a tree, as Python's pathlib has them."""

import re
from collections.abc import Iterator
from fnmatch import translate

from img.domain.filesystem.entry import Entry
from img.domain.filesystem.tree import FileTree

_ANY_DEPTH = "**"


def matching(tree: FileTree, pattern: str) -> Iterator[Entry]:
    """Yield the entries with paths that match ``pattern``, sorted by path.

    ``*``, ``?`` and ``[...]`` match inside one name, also of hidden files; ``**`` matches any
    number of directories. Links are not followed, and "" matches the root.
    """
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    rules = [None if part == _ANY_DEPTH else re.compile(translate(part)) for part in parts]
    found: set[str] = set()
    seen: set[tuple[str, int]] = set()
    todo = [("", 0)]
    while todo:
        path, place = todo.pop()
        if (path, place) in seen:
            continue
        seen.add((path, place))
        if place == len(rules):
            found.add(path)
            continue
        rule = rules[place]
        if rule is None:
            todo.append((path, place + 1))
        for name in tree.names(path):
            below = f"{path}/{name}" if path else name
            if rule is None:
                # As in pathlib, a ** at the end matches directories alone, until Python 3.13.
                if tree.is_directory(below) or place + 1 == len(rules):
                    todo.append((below, place))
            elif rule.match(name):
                todo.append((below, place + 1))
    for path in sorted(found, key=lambda path: path.split("/")):
        entry = tree.get(path)
        assert entry is not None
        yield entry
