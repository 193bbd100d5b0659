"""Volumes of this machine."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator

from img.application.ports.host_volumes import HostVolumes, VolumeNotFound
from img.domain.digest import Digest
from img.domain.options.volumes import VolumeSpec
from img.domain.process import Volume

_NO_OTHERS = "for sockets, pipes and devices, use the directory that they are in"
_MOST = 200_000  # files to compare by their states: about a second


class LocalVolumes(HostVolumes):
    """Files and directories; the state of a directory is that of all files in it (lstat(2))."""

    def find(self, spec: VolumeSpec) -> Volume:
        try:
            source = os.path.realpath(spec.source, strict=True)
            found = os.stat(source)
        except OSError as error:
            hint = "create it first" if error.errno == errno.ENOENT else None
            reason = error.strerror or str(error)
            raise VolumeNotFound(spec.source, reason, hint) from None
        if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
            raise VolumeNotFound(spec.source, "not a directory or a regular file", _NO_OTHERS)
        return Volume(
            source=source,
            target=spec.target,
            read_only=spec.read_only,
            device=found.st_dev,
            inode=found.st_ino,
            state=_state_of(source, found) if spec.read_only else "",
        )


def _state_of(source: str, top: os.stat_result) -> str:
    """Return a digest of the states of all files, "" if there are too many, or other mounts."""
    digest = hashlib.sha256()
    for number, (path, found) in enumerate(_files(source, top)):
        if number > _MOST or found.st_dev != top.st_dev:
            return ""
        # The time of the last change of an inode cannot be set by programs.
        state = (found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_size)
        times = (found.st_mtime_ns, found.st_ctime_ns)
        name = os.fsencode(os.path.relpath(path, source))
        digest.update(b"%s\0%s\0" % (name, repr((*state, *times)).encode()))
    return str(Digest("sha256", digest.hexdigest()))


def _files(source: str, top: os.stat_result) -> Iterator[tuple[str, os.stat_result]]:
    """Yield each path and its state, sorted in each directory; what cannot be read is left out."""
    yield source, top
    if not stat.S_ISDIR(top.st_mode):
        return
    directories = [source]
    while directories:
        directory = directories.pop()
        try:
            names = sorted(os.listdir(directory))
        except OSError:  # a step cannot read it either; its own state is in the digest
            continue
        for name in names:
            path = f"{directory}/{name}"
            try:
                found = os.lstat(path)
            except OSError:
                continue
            yield path, found
            if stat.S_ISDIR(found.st_mode) and found.st_dev == top.st_dev:
                directories.append(path)
