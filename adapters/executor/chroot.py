"""Steps in a changed root, for root in a container that allows neither namespaces nor mounts."""

import os

from img.adapters.executor.launch import Launch, LaunchMode
from img.adapters.linux.changed_roots import RootsNotChangeable, require_changeable_roots
from img.application.ports.executor import ExecutorUnavailable, ProcessNotStarted
from img.domain.process import DirectoryRoot, Network, Process, Root, Volume


class ChrootLauncher:
    """chroot(2), with files in the place of mounts.

    A step sees the processes and the network of the container that img runs in, an empty /proc,
    and no pseudo terminals; it has Docker's default capabilities without sys_chroot. It cannot
    reach the container's files, but it can kill the container's processes: run img in a container
    of its own.
    """

    def require(self) -> None:
        """Raise ExecutorUnavailable unless this process may change its root."""
        try:
            require_changeable_roots()
        except RootsNotChangeable as error:
            raise ExecutorUnavailable(
                f"the executor chroot is not possible: {error.message}",
                hint="leave --executor to img",
            ) from error

    def usual(self) -> Launch:
        """Return the description of a step without options."""
        return Launch.usual(LaunchMode.CHROOT)

    def launch(self, process: Process, root: Root) -> Launch:
        """Return the description of the step for the fork server."""
        refuse_what_needs_namespaces("chroot", process, root)
        return Launch(process, root, LaunchMode.CHROOT)


def refuse_what_needs_namespaces(executor: str, process: Process, root: Root) -> None:
    """Raise ExecutorUnavailable or ProcessNotStarted for what takes namespaces or mounts."""
    if not isinstance(root, DirectoryRoot):
        raise ExecutorUnavailable(
            f"the executor {executor} cannot mount an overlay", hint="use --backend naive"
        )
    if os.statvfs(root.path).f_flag & os.ST_NOEXEC:
        raise ExecutorUnavailable(
            f"no program can be executed in {root.path}: it is on a file system that is mounted"
            " noexec",
            hint="choose a state directory elsewhere with --state",
        )
    for mount in process.mounts:
        if isinstance(mount, Volume) and (executor == "chroot" or mount.read_only):
            what = f"keep {mount.target} read-only" if executor == "proot" else "mount volumes"
            raise ProcessNotStarted(
                f"the executor {executor} cannot {what} (--volume)",
                hint="run img where it may make namespaces: see `img doctor`",
            )
    if process.userns:
        raise ProcessNotStarted(
            f"the executor {executor} cannot allow user namespaces (--allow=userns)",
            hint="run img where it may make namespaces: see `img doctor`",
        )
    if process.network is not Network.HOST:
        what = "take the network away" if process.network is Network.NONE else "make a network"
        raise ProcessNotStarted(
            f"the executor {executor} cannot {what} (--network={process.network.value})",
            hint="run img where it may make namespaces: see `img doctor`",
        )
