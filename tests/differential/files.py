"""Files of a generated build context: odd names, links, modes, hard links and archives."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

_PLAIN_NAMES = ("a", "b.txt", "c.md", "x", "y.txt")
_ODD_NAMES = (
    "with space",
    "ümlaut",
    "-dash",
    "[br]",
    "back\\slash",
    ".hidden",
    "#hash",
    "bang!",
    "a:b,c",
    "$dollar",
    "'quote",
    "star*",
    "q?",
    "UP.TXT",
    "..dots",
    "%41",
)
_DIRECTORIES = ("d", "d/sub", "e", "e/f g", "empty", "d/sub/deep")
_FILE_MODES = (0o644, 0o644, 0o644, 0o755, 0o600, 0o640, 0o444, 0o4755, 0o2755, 0o666, 0o400)
_DIRECTORY_MODES = (0o755, 0o755, 0o755, 0o700, 0o750, 0o2755, 0o1777, 0o711)
_TARGETS = ("a", "../a", "/a", "d", "/d", "nowhere", "../../..", "sub", "/d/sub", ".", "/etc", "x")
_NET_RAW = "\1\0\0\2\0\x20" + "\0" * 14  # cap_net_raw+ep, version 2
_COMPRESSIONS = ("", "", "gz", "bz2", "xz")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a context; ``kind`` is that of a layer's entry."""

    path: str
    kind: str = "file"
    mode: int = 0o644
    content: bytes = b""
    link: str = ""  # a symlink's target, or the first name of a hard link


def some_name(random: Random, odd: float = 0.25) -> str:
    """Return a file name, which needs quotes or escapes once in a while."""
    return random.choice(_ODD_NAMES if random.random() < odd else _PLAIN_NAMES)


def context_files(random: Random) -> tuple[File, ...]:
    """Return the files of a context; each is below a directory that comes before it."""
    directories = ["", *(name for name in _DIRECTORIES if random.random() < 0.6)]
    directories = [name for name in directories if os.path.dirname(name) in directories]
    found = {
        name: File(path=name, kind="directory", mode=random.choice(_DIRECTORY_MODES))
        for name in directories
        if name
    }
    for directory in directories:
        for _ in range(random.choice((1, 2, 3)) if directory != "empty" else 0):
            file = _file(random, os.path.join(directory, some_name(random)), found)
            found.setdefault(file.path, file)
    return tuple(found.values())


def _file(random: Random, path: str, others: dict[str, File]) -> File:
    content = f"{path} {random.randrange(1000)}\n".encode() * random.choice((0, 1, 1, 1, 40))
    firsts = [file.path for file in others.values() if file.kind == "file"]
    match random.random():
        case chance if chance < 0.15:
            return File(path=path, kind="symlink", link=random.choice(_TARGETS))
        case chance if chance < 0.2 and firsts:
            return File(path=path, kind="hard link", link=random.choice(firsts))
        case _:
            return File(path=path, mode=random.choice(_FILE_MODES), content=content)


def write(files: Sequence[File], place: Path, uid: int, gid: int) -> None:
    """Write the files to ``place``, which must not exist; they are of this user.

    Files without a directory are left out.
    """
    place.mkdir(mode=0o755)
    os.chown(place, uid, gid)
    for file in files:
        path = place / file.path
        if not os.path.lexists(path.parent) or os.path.lexists(path):
            continue
        match file.kind:
            case "directory":
                path.mkdir()
            case "symlink":
                path.symlink_to(file.link)
            case "hard link":
                if (place / file.link).exists():
                    os.link(place / file.link, path)
                continue
            case _:
                path.write_bytes(file.content)
        os.chown(path, uid, gid, follow_symlinks=False)
        if file.kind != "symlink":
            path.chmod(file.mode)


# --- archives


def archive(random: Random, devices: bool) -> tuple[str, bytes]:
    """Return a name and the archive's bytes."""
    ending = random.choice(_COMPRESSIONS)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in _members(random, devices):
            content = f"{member.name}\n".encode() if member.isreg() else b""
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    name = f"tree.tar.{ending}" if ending else "tree.tar"
    # What an archive is, its first bytes say.
    name = random.choice((name, name, name, "packed", "a.txt"))
    return name, _compressed(raw.getvalue(), ending)


def _compressed(content: bytes, ending: str) -> bytes:
    match ending:
        case "gz":
            return gzip.compress(content, 1, mtime=0)
        case "bz2":
            return bz2.compress(content)
        case "xz":
            return lzma.compress(content)
        case _:
            return content


def _members(random: Random, devices: bool) -> list[tarfile.TarInfo]:
    places = ["", "m/", "m/n/", "implied/deep/"]
    prefix = random.choice(("", "", "./"))
    members = []
    if random.random() < 0.3:
        members.append(_member(random, f"{prefix}.", tarfile.DIRTYPE))
    for place in places[1:3]:
        if random.random() < 0.6:
            members.append(_member(random, prefix + place.rstrip("/"), tarfile.DIRTYPE))
    names: list[str] = []
    for _ in range(random.choice((2, 4, 7))):
        name = prefix + random.choice(places) + some_name(random, 0.15)
        kind = random.choice((tarfile.REGTYPE,) * 5 + (tarfile.SYMTYPE, tarfile.FIFOTYPE))
        if names and random.random() < 0.15:
            kind = tarfile.LNKTYPE
        if devices and random.random() < 0.2:
            kind = random.choice((tarfile.CHRTYPE, tarfile.BLKTYPE))
        member = _member(random, name, kind)
        if kind == tarfile.LNKTYPE:
            member.linkname = random.choice(names)
        elif kind == tarfile.REGTYPE:
            names.append(name)
        members.append(member)
    return members


def _member(random: Random, name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = random.choice(_DIRECTORY_MODES if kind == tarfile.DIRTYPE else _FILE_MODES)
    member.uid, member.gid = random.choice(((0, 0), (0, 0), (33, 50), (1000, 1000), (0, 8)))
    member.mtime = 1_600_000_000
    if kind == tarfile.SYMTYPE:
        member.linkname = random.choice(_TARGETS)
    if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        member.devmajor, member.devminor = 7, random.randrange(9)
    if kind == tarfile.REGTYPE and random.random() < 0.15:
        name = random.choice(("user.note", "security.capability"))
        value = _NET_RAW if name == "security.capability" else f"of {random.randrange(9)}"
        member.pax_headers = {f"SCHILY.xattr.{name}": value}
    return member
