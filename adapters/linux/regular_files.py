"""Safe access to regular files at untrusted paths: no blocking open, bounded reads.

A path in a context or a layout may lead to a FIFO, which blocks open(2), to a device, which never
ends, or to a link to either. ``open_regular`` opens only regular files, and ``open_inside`` only
regular files below one directory.
"""

import errno
import os
import stat

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MOST_LINKS = 255
_PIECE = 1 << 20
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
}


class LinkLeadsOut(OSError):
    """A path below a directory that a symbolic link leads out of it."""

    def __init__(self, link: str) -> None:
        super().__init__(errno.EXDEV, f"the link to {link} leads out of the directory")
        self.link = link


def open_regular(path: str, *, at: int | None = None, follow: bool = True) -> int:
    """Return a descriptor of the regular file ``path``, opened for reading without blocking.

    Raises OSError: EISDIR for a directory, EINVAL for any other file that is not regular.
    """
    # Checked before, because opening alone triggers some devices; and after, because the path may
    # lead to another file by then.
    _check(os.stat(path, dir_fd=at, follow_symlinks=follow))
    file = os.open(path, _READ | (0 if follow else os.O_NOFOLLOW), dir_fd=at)
    try:
        _check(os.fstat(file))
    except BaseException:
        os.close(file)
        raise
    return file


def open_inside(root: int, path: str) -> int:
    """Return a descriptor of the regular file ``path`` below the directory ``root``.

    Links are followed as if ``root`` were the root directory, as BuildKit follows links of a
    context (fsutil, "FollowLinks"). Every directory on the way is opened by itself and without
    following links, so concurrent changes cannot lead out of ``root``. Raises LinkLeadsOut for a
    link to a path above ``root`` if there is no such file inside; OSError as ``open_regular``.
    """
    opened = [os.dup(root)]
    try:
        return _walk(opened, path)
    finally:
        for directory in opened:
            os.close(directory)


def read_inside(root: int, path: str, most: int) -> bytes:
    """Return the content of a file that ``open_inside`` finds, at most ``most`` bytes.

    Raises OSError, EFBIG for a larger one.
    """
    return _read_all(open_inside(root, path), most)


def read_regular(path: str, most: int) -> bytes:
    """Return the content of a regular file, following links, at most ``most`` bytes.

    Raises OSError, EFBIG for a larger one.
    """
    return _read_all(open_regular(path), most)


def read_at_most(descriptor: int, most: int) -> bytes:
    """Read a descriptor to its end. Raises OSError, EFBIG for more than ``most`` bytes."""
    pieces, left = [], most + 1
    while left and (piece := os.read(descriptor, min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    if not left:
        raise OSError(errno.EFBIG, f"larger than {most} bytes")
    return b"".join(pieces)


def _walk(opened: list[int], path: str) -> int:
    todo, links, outside = _parts(path), 0, ""
    while todo:
        part = todo.pop()
        if part == "..":
            if len(opened) > 1:
                os.close(opened.pop())
            continue
        try:
            link = _link(part, opened[-1])
            if link is None and todo:
                opened.append(os.open(part, _DIRECTORY, dir_fd=opened[-1]))
            elif link is None:
                return open_regular(part, at=opened[-1], follow=False)
        except FileNotFoundError:
            if outside:
                raise LinkLeadsOut(outside) from None
            raise
        if link is not None:
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if _leads_out(link, len(opened) - 1):
                outside = link
            if link.startswith("/"):
                while len(opened) > 1:
                    os.close(opened.pop())
            todo += _parts(link)
    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


def _link(name: str, directory: int) -> str | None:
    """Return the target of a link, None for other files. Raises OSError if there is no file."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise


def _leads_out(link: str, depth: int) -> bool:
    if link.startswith("/"):
        return True
    for part in link.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part and part != "."][::-1]


def _check(status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
    raise OSError(errno.EINVAL, f"{kind}, not a regular file")


def _read_all(descriptor: int, most: int) -> bytes:
    try:
        if os.fstat(descriptor).st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most} bytes")
        return read_at_most(descriptor, most)
    finally:
        os.close(descriptor)
