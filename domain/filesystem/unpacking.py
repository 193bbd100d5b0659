"""Unpacking of archives by ADD, into entries of the layer.

As in BuildKit (moby/go-archive, archive.go), the destination is the root directory of the archive,
so no name and no link among the parents leads out of it. Later members replace earlier ones and
existing files. --chmod has no effect. An implied directory, without a member, has mode 0755 (2755
below a set-group-ID directory) and owner root, also with --chown.
"""

from collections.abc import Sequence

from img.domain.errors import BuildError
from img.domain.filesystem import paths
from img.domain.filesystem.entry import HARDLINK, SYMLINK, Entry
from img.domain.filesystem.target import Selected, Target

MADE_MODE = 0o755  # of implied directories, including the destination
_ROOT = (0, 0)


class DeadLink(BuildError):
    """A member of an archive behind a dangling link."""

    def __init__(self, path: str, link: Entry, end: str) -> None:
        super().__init__(
            f"cannot unpack /{path}: /{link.path} is a link to {link.link}, and there is no /{end}"
        )
        self.path = path


def unpack(
    target: Target,
    top: str,
    source: str,
    members: Sequence[Entry],
    owner: tuple[int, int] | None,
) -> None:
    """Write the members of the archive ``source`` into the directory ``top``.

    Raises NotADirectory, ImpossibleHardLink, DeadLink, TooManyLinks.
    """
    for member in members:
        if not member.path:
            continue  # "./": the directory exists and keeps its attributes
        path = _place(target, top, member.path)
        target.make_directories(paths.parent(path), mode=MADE_MODE, owner=_ROOT)
        uid, gid = owner or (member.uid, member.gid)
        mode = 0o777 if member.kind == SYMLINK else member.mode  # regardless of the header
        entry = member._replace(path=path, mode=mode, uid=uid, gid=gid)
        if member.kind == HARDLINK:
            target.link(path, _place(target, top, paths.clean(member.link)), entry)
        else:
            target.replace(path, Selected(source, entry, member.path))


def _place(target: Target, top: str, path: str) -> str:
    above = target.resolve(paths.parent(path), top)
    if target.get(above) is None:
        _refuse_dead_links(target, top, path)
    return paths.below(above, paths.name(path))


def _refuse_dead_links(target: Target, top: str, path: str) -> None:
    """Raise DeadLink for a dangling link among the parents of ``path``.

    A file system would refuse the member, and its target is ambiguous: an absolute link begins at
    ``top`` while the archive is unpacked, and at the root afterwards.
    """
    for directory in paths.ancestors(path):
        above = target.resolve(paths.parent(directory), top)
        entry = target.get(paths.below(above, paths.name(directory)))
        end = target.resolve(directory, top)
        if entry is not None and entry.kind == SYMLINK and target.get(end) is None:
            raise DeadLink(paths.below(top, path), entry, end)
