"""Volumes of this machine."""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator

from img.adapters.storage.trace_questions import is_racy
from img.application.ports.host_volumes import HostVolumes, VolumeNotFound
from img.domain.digest import Digest
from img.domain.options.volumes import VolumeSpec
from img.domain.process import Volume

_NO_OTHERS = "for sockets, pipes and devices, use the directory that they are in"
_PAUSE_S = 0.06  # longer than a tick of file systems that store fractions of seconds
_MOST = 200_000  # files to compare by their states: about a second


class LocalVolumes(HostVolumes):
    """Files and directories; the state of a directory is that of all files in it (lstat(2))."""

    def find(self, spec: VolumeSpec) -> Volume:
        try:
            source = os.path.realpath(spec.source, strict=True)
            found = os.stat(source)
            state = _settled_state(source) if spec.read_only else ""
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
            state=state,
        )


def _settled_state(source: str) -> str:
    """Return a state that no later change leaves as it is, "" if there is none.

    A file that has just changed can change again within one tick of the clock. Raises OSError.
    """
    for pause_s in (_PAUSE_S, 0.0):
        at = time.time_ns()
        state, newest = _state_of(source, os.stat(source))
        if not state or not is_racy(newest, at):
            return state
        time.sleep(pause_s)
    return ""


def _state_of(source: str, top: os.stat_result) -> tuple[str, int]:
    """Return a digest of the states of all files, and the newest time of a change (ns).

    The digest is "" if there are too many files, or other mounts.
    """
    digest, newest = hashlib.sha256(), 0
    for number, (path, found) in enumerate(_files(source, top)):
        if number > _MOST or found.st_dev != top.st_dev:
            return "", newest
        newest = max(newest, found.st_ctime_ns)
        # The time of the last change of an inode cannot be set by programs.
        state = (found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_size)
        times = (found.st_mtime_ns, found.st_ctime_ns)
        name = os.fsencode(os.path.relpath(path, source))
        digest.update(b"%s\0%s\0" % (name, repr((*state, *times)).encode()))
    return str(Digest("sha256", digest.hexdigest())), newest


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
