"""Names of files inside a tree.

Text from a Dockerfile, an archive, a URL or a registry becomes a FileName before a file is called
by it: joined to a directory, no FileName leads anywhere but into that directory.
"""

from collections.abc import Sequence
from typing import Self

from img.domain.errors import ImgError

_LONGEST = 255  # bytes; the kernel's NAME_MAX
_DIRECTORIES = frozenset(("", ".", ".."))


class InvalidFileName(ImgError):
    """Text that cannot be the name of a file; ``problem`` says why."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(f"{_shown(text)} cannot be the name of a file: {problem}")
        self.text = text
        self.problem = problem


class FileName(str):
    """One component of a path: never empty, ``.`` or ``..``, without ``/`` and NUL.

    The kernel takes it: it has at most 255 bytes, and surrogates only in place of bytes that are
    no UTF-8 (PEP 383). Raises InvalidFileName.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if problem := _problem(text):
            raise InvalidFileName(text, problem)
        return super().__new__(cls, text)


def is_file_name(text: str) -> bool:
    """Tell whether ``text`` leads into the directory it is joined to; its length is not looked at.

    For loops over many files, which would pay for a FileName each.
    """
    return text not in _DIRECTORIES and "/" not in text and "\0" not in text


def is_tree_path(path: str) -> bool:
    """Tell whether ``path`` is names joined by "/", or "": the root."""
    if not path or (
        "/." not in path and "//" not in path and "\0" not in path and path[0] not in "./"
    ):
        return not path.endswith("/")
    return all(is_file_name(part) for part in path.split("/"))


def are_tree_paths(paths: Sequence[str]) -> bool:
    """Tell whether all ``paths`` are, at a tenth of the cost of asking for each."""
    named = [path for path in paths if path != ""]
    names = "\0".join(["", *named, ""])
    separators = names.count("\0")
    names = names.replace("/", "\0")
    return (
        separators == len(named) + 1
        and "\0\0" not in names
        and "\0.\0" not in names
        and "\0..\0" not in names
    )


def _problem(text: str) -> str:
    if not text:
        return "it is empty"
    if text in _DIRECTORIES:
        return "it means a directory"
    if "/" in text:
        return "it holds a slash"
    if "\0" in text:
        return "it holds a NUL character"
    try:
        length = len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return "it holds half of a surrogate pair"
    return f"it has {length} bytes, and {_LONGEST} is the most" if length > _LONGEST else ""


def _shown(text: str) -> str:
    """Return ``text`` for a message: in ASCII, and not endless."""
    shown = ascii(text)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
