"""Paths inside an image; they never lead out of it."""


def clean(path: str) -> str:
    """Return ``path`` relative to the root, without ``.``, ``..`` or doubled slashes.

    ``..`` in the root is the root, as in a chroot.
    """
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part and part != ".":
            parts.append(part)
    return "/".join(parts)


def join(directory: str, path: str) -> str:
    """Return the absolute path of ``path`` in ``directory``; an absolute path is only cleaned."""
    return "/" + clean(path if path.startswith("/") else f"{directory}/{path}")


def below(directory: str, path: str) -> str:
    """Return the path of ``path`` in ``directory``; both are clean and relative, "" is the root."""
    return f"{directory}/{path}" if directory and path else directory or path


def printable(path: str) -> str:
    r"""Return ``path`` as text that can be encoded: bytes that are no UTF-8 become ``\xff``."""
    if path.isascii():
        return path
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def parent(path: str) -> str:
    """Return the directory of ``path``, "" for a name in the root."""
    return path.rpartition("/")[0]


def name(path: str) -> str:
    """Return the last component of ``path``."""
    return path.rpartition("/")[2]


def ancestors(path: str) -> list[str]:
    """Return the directories above ``path``, outermost first, without the root."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]
