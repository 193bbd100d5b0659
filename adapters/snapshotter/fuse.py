"""Overlays in user space (fuse-overlayfs(1)): slower writes, fewer requirements."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Set as AbstractSet

from img.adapters.linux import syscalls
from img.adapters.linux.syscalls import OPAQUE_XATTR
from img.adapters.snapshotter.overlay import OverlaySnapshotter, OverlayWorkspace
from img.adapters.storage.atomic_file import raise_state_error
from img.adapters.storage.work_directory import WorkDirectory
from img.application.ports.snapshotter import SnapshotterUnavailable
from img.domain.filesystem.entry import DIRECTORY, Entry
from img.domain.filesystem.file_index import WHITEOUT_PREFIX
from img.domain.filesystem.tree import FileTree
from img.domain.process import DirectoryRoot

_PROGRAM = "fuse-overlayfs"
_TIMEOUT_S = 5.0
_OPAQUE_FILES = {".wh..wh..opq", ".wh..opq"}
_ORIGIN = "user.fuseoverlayfs.origin"  # of a file that was copied up
_OWN_XATTRS = ("user.fuseoverlayfs.", "trusted.fuseoverlayfs.")


class FuseSnapshotter(OverlaySnapshotter):
    """Overlays as ``OverlaySnapshotter``, mounted in this process while the workspace exists.

    The process has its own mount namespace by now, which hides the mounts from other processes.
    """

    def _workspace(self, work: WorkDirectory, lowers: list[str], base: FileTree) -> "FuseWorkspace":
        return FuseWorkspace(work, lowers, base, self._layers, self._ownership, index=False)

    def _probe(self) -> None:
        if shutil.which(_PROGRAM) is None:
            raise SnapshotterUnavailable(
                f"{_PROGRAM} is not installed", hint=f"install {_PROGRAM}, or use another backend"
            )
        super()._probe()


class FuseWorkspace(OverlayWorkspace):
    """An upper directory of fuse-overlayfs, converted to the kernel's format at the end."""

    _mounted: "subprocess.Popen[bytes] | None" = None

    @property
    def root(self) -> DirectoryRoot:
        merged = f"{self._directory.path}/merged"
        if self._mounted is None:
            self._mounted = self._mount(merged)
        return DirectoryRoot(path=merged)

    def changes(self, base: FileTree) -> tuple[Entry, ...]:
        self._unmount()
        try:
            self._placed.take_back()
            _convert_to_kernel_format(self._upper, base, self._placed.names())
        except OSError as error:
            raise_state_error(error, self._upper)
        return super().changes(base)

    def discard(self) -> None:
        self._unmount()
        super().discard()

    def _mount(self, merged: str) -> "subprocess.Popen[bytes]":
        options = ",".join(
            [
                "lowerdir=" + ":".join(_escaped(path) for path in self._lowers),
                f"upperdir={_escaped(self._upper)}",
                f"workdir={_escaped(self._directory.path)}/work",
            ]
        )
        before = os.stat(merged).st_dev
        program = subprocess.Popen(
            [_PROGRAM, "-f", "-o", options, merged],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 (one system call, no locks)
        )
        deadline = time.monotonic() + _TIMEOUT_S
        while os.stat(merged).st_dev == before:
            if program.poll() is not None or time.monotonic() > deadline:
                raise _failure(program)
            time.sleep(0.001)
        return program

    def _unmount(self) -> None:
        program, self._mounted = self._mounted, None
        if program is None:
            return
        merged = f"{self._directory.path}/merged"
        directory = os.open(merged, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # Cached writes for the program are flushed by the end of the last mount, and steps that
        # start right now have copies of the mount.
        syscalls.syncfs(directory)
        os.close(directory)
        with contextlib.suppress(OSError):
            syscalls.umount2(merged, syscalls.MNT_DETACH)
        try:
            program.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
        if program.stderr:
            program.stderr.close()


def _die_with_parent() -> None:
    # The signal is tied to the forking thread: each workspace belongs to one thread.
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _failure(program: "subprocess.Popen[bytes]") -> SnapshotterUnavailable:
    program.kill()
    lines = program.communicate()[1].decode("utf-8", "replace").splitlines()
    said = lines[-1] if lines else ""  # other messages are warnings
    return SnapshotterUnavailable(
        f"{_PROGRAM} mounts nothing: {said or 'no answer'}",
        hint="it needs /dev/fuse; use another backend where there is none",
    )


def _convert_to_kernel_format(upper: str, base: FileTree, placed: AbstractSet[str]) -> None:
    """Convert the upper directory of fuse-overlayfs to the format of overlayfs.rst."""
    todo = [""]
    while todo:
        path = todo.pop()
        directory = f"{upper}/{path}" if path else upper
        with os.scandir(directory) as entries:
            found = list(entries)
        marks = [entry.name for entry in found if entry.name.startswith(WHITEOUT_PREFIX)]
        if marks:
            _replace_marks(directory, marks)
        _drop_own_xattrs(directory)
        prefix = f"{path}/" if path else ""
        made = [entry.name for entry in found if prefix + entry.name not in placed]
        _restore_time(directory, made, base, path)
        todo += [prefix + entry.name for entry in found if entry.is_dir(follow_symlinks=False)]


def _restore_time(directory: str, names: list[str], base: FileTree, path: str) -> None:
    """Restore the mtime of a directory in which only copies of lower files were created.

    The kernel keeps it when it copies a file up. Only this conversion loses that a step touched the
    directory itself, or created and removed something in it.
    """
    entry = base.get(path)
    if entry is None or entry.kind != DIRECTORY or OPAQUE_XATTR in os.listxattr(directory):
        return
    prefix = f"{path}/" if path else ""
    if all(_is_copy(f"{directory}/{name}", base.get(prefix + name)) for name in names):
        os.utime(directory, ns=(os.stat(directory).st_atime_ns, entry.mtime))


def _is_copy(path: str, below: Entry | None) -> bool:
    kind = os.lstat(path).st_mode
    if below is None or stat.S_ISDIR(kind) != (below.kind == DIRECTORY):
        return False
    return stat.S_ISDIR(kind) or (stat.S_ISREG(kind) and _ORIGIN in os.listxattr(path))


def _replace_marks(directory: str, names: list[str]) -> None:
    before = os.stat(directory)
    for name in names:
        path = f"{directory}/{name}"
        if name in _OPAQUE_FILES:
            os.setxattr(directory, OPAQUE_XATTR, b"y")
        elif not os.path.lexists(hidden := f"{directory}/{name.removeprefix(WHITEOUT_PREFIX)}"):
            os.mknod(hidden, stat.S_IFCHR)
        os.unlink(path)
    os.utime(directory, ns=(before.st_atime_ns, before.st_mtime_ns))


def _drop_own_xattrs(directory: str) -> None:
    for name in os.listxattr(directory):
        if name.startswith(_OWN_XATTRS):
            if name.endswith(".opaque"):
                os.setxattr(directory, OPAQUE_XATTR, b"y")
            with contextlib.suppress(OSError):
                os.removexattr(directory, name)
