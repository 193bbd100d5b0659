"""The members of an archive that ADD unpacks, as entries of the layer.

As BuildKit does it (moby/go-archive, archive.go): the destination is the root directory meanwhile,
so no name and no link among the parents leads out of it. Later members replace earlier ones and
what is in the way. --chmod changes nothing, and a directory that the archive has files of and no
member for is 0755, or 2755 below such a one, and root's, whatever --chown gives the members.
"""

from collections.abc import Sequence

from img.domain.errors import BuildError
from img.domain.filesystem import paths
from img.domain.filesystem.entry import HARDLINK, SYMLINK, Entry
from img.domain.filesystem.target import Selected, Target

MADE_MODE = 0o755  # of directories that no member stands for, the destination among them
_ROOT = (0, 0)


class DeadLink(BuildError):
    """A member of an archive that is behind a link to nothing."""

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
    """Write the members of the archive ``source`` to below the directory ``top``.

    Raises NotADirectory, ImpossibleHardLink, DeadLink, TooManyLinks.
    """
    for member in members:
        if not member.path:
            continue  # "./": the directory is there already and keeps what it has
        path = _place(target, top, member.path)
        target.make_directories(paths.parent(path), mode=MADE_MODE, owner=_ROOT)
        uid, gid = owner or (member.uid, member.gid)
        mode = 0o777 if member.kind == SYMLINK else member.mode  # whatever the header says
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
    """Raise DeadLink where a link among the parents of ``path`` leads to nothing.

    Nothing would be made there by a file system, and what is at its end is seldom what was meant:
    an absolute link begins at ``top`` while the archive is unpacked, and at the root afterwards.
    """
    for directory in paths.ancestors(path):
        above = target.resolve(paths.parent(directory), top)
        entry = target.get(paths.below(above, paths.name(directory)))
        end = target.resolve(directory, top)
        if entry is not None and entry.kind == SYMLINK and target.get(end) is None:
            raise DeadLink(paths.below(top, path), entry, end)
