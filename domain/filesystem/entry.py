"""Entries: files of a layer, a tree or a build context."""

from typing import Final, Literal, NamedTuple

FILE: Final = "f"
DIRECTORY: Final = "d"
SYMLINK: Final = "l"
HARDLINK: Final = "h"  # only in layers: another name of a file of the same or a lower layer
CHARACTER: Final = "c"
BLOCK: Final = "b"
FIFO: Final = "p"
SOCKET: Final = "s"  # only in contexts; a layer cannot hold one

EntryKind = Literal["f", "d", "l", "h", "c", "b", "p", "s"]
"""The kinds of entries. Literals, not an enum: an enum takes longer to create and to compare."""

CAPABILITY = "security.capability"  # an extended attribute that chown(2) removes


class Entry(NamedTuple):
    """The attributes of a file, as in a tar header (image-spec layer.md, "File Attributes").

    A NamedTuple, not a dataclass: contexts and bases have 10^5 of them.
    """

    path: str  # relative, "/"-separated, no "." or ".."; "" is the root itself
    kind: EntryKind
    mode: int = 0o644  # the twelve permission bits
    uid: int = 0
    gid: int = 0
    size: int = 0  # bytes; 0 except for FILE
    mtime: int = 0  # nanoseconds since 1970
    link: str = ""  # SYMLINK: the text; HARDLINK: the path of the other name
    device: tuple[int, int] = (0, 0)  # major, minor
    xattrs: tuple[tuple[str, bytes], ...] = ()  # sorted by name
    digest: str = ""  # FILE: sha256 hex of the content; "" if it is not known yet
    offset: int = -1  # FILE in a layer: offset of the content in the uncompressed tar

    def hard_link(self, to: str) -> "Entry":
        """Return this entry as another name of the file at ``to``."""
        return self._replace(kind=HARDLINK, link=to, size=0, digest="", xattrs=(), offset=-1)

    def with_metadata(self, header: "Entry") -> "Entry":
        """Return this entry with owner, mode, time and extended attributes of ``header``.

        A symbolic link has no mode. A chown(2) removes file capabilities, even if the owner does
        not change.
        """
        xattrs = dict(self.xattrs)
        xattrs.pop(CAPABILITY, None)
        xattrs.update(header.xattrs)
        entry = self._replace(uid=header.uid, gid=header.gid, xattrs=tuple(sorted(xattrs.items())))
        if entry.kind == SYMLINK:
            return entry
        return entry._replace(mode=header.mode, mtime=header.mtime)
