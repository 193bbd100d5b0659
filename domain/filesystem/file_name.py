"""File names.

A text from a Dockerfile, an archive, a URL or a registry is checked as a FileName before it names a
file: joined to a directory, a FileName always leads into that directory.
"""

from typing import Self

from img.domain.errors import ImgError

_LONGEST = 255  # bytes; the kernel's NAME_MAX
_DIRECTORIES = frozenset(("", ".", ".."))


class InvalidFileName(ImgError):
    """A text that is not a file name; ``problem`` is the reason."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(f"{_shown(text)} cannot be the name of a file: {problem}")
        self.text = text
        self.problem = problem


class FileName(str):
    """One component of a path: never empty, ``.`` or ``..``, without ``/`` and NUL.

    It has at most 255 bytes, the kernel's limit; surrogates only stand for bytes that are not UTF-8
    (PEP 383). Raises InvalidFileName.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if problem := _problem(text):
            raise InvalidFileName(text, problem)
        return super().__new__(cls, text)


def is_file_name(text: str) -> bool:
    """Return whether ``text``, joined to a directory, leads into it; the length is not checked.

    It is for loops over many files, where a FileName for each is slow.
    """
    return text not in _DIRECTORIES and "/" not in text and "\0" not in text


def is_tree_path(path: str) -> bool:
    """Return whether ``path`` consists of names joined by "/", or is "", the root."""
    if not path or (
        "/." not in path and "//" not in path and "\0" not in path and path[0] not in "./"
    ):
        return not path.endswith("/")
    return all(is_file_name(part) for part in path.split("/"))


def are_tree_paths(joined: str) -> bool:
    """Return whether all paths, ``joined`` by NUL, are tree paths.

    It is ten times as fast as a check of each, unless the root is among them and not the first.
    """
    names = f"\0{joined.removeprefix(chr(0))}\0".replace("/", "\0")
    if "\0\0" in names:
        return all(map(is_tree_path, joined.split("\0")))
    return "\0.\0" not in names and "\0..\0" not in names


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
    """Return ``text`` for a message: in ASCII, and shortened."""
    shown = ascii(text)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
