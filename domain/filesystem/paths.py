"""Paths inside an image: they never climb out."""


def clean(path: str) -> str:
    """Return ``path`` relative to the root, without ``.``, ``..`` or doubled slashes.

    ``..`` at the root stays at the root, as the kernel has it for a chroot.
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
    """Return the absolute path that ``path`` means in ``directory``; an absolute one stays."""
    return "/" + clean(path if path.startswith("/") else f"{directory}/{path}")


def below(directory: str, path: str) -> str:
    """Return the clean path of ``path``, clean and relative, in ``directory``; "" is the root."""
    return f"{directory}/{path}" if directory and path else directory or path


def parent(path: str) -> str:
    """Return the clean path of the directory that holds ``path``; "" for a name in the root."""
    return path.rpartition("/")[0]


def name(path: str) -> str:
    """Return the last component of ``path``."""
    return path.rpartition("/")[2]


def ancestors(path: str) -> list[str]:
    """Return the clean paths of the directories above ``path``, outermost first; not the root."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]
