"""Paths as Go's path/filepath cleans them."""


def clean_path(path: str) -> str:
    """Return the shortest path that means the same (Go filepath.Clean, on Linux).

    Python's normpath keeps two slashes at the start; Go keeps one.
    """
    rooted = path.startswith("/")
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", ".") and not (part == ".." and rooted):
            parts.append(part)
    return ("/" if rooted else "") + "/".join(parts) or "."
