"""Steps in a changed root, for root in a container that allows neither namespaces nor mounts."""

from img.adapters.executor.launch import Launch, LaunchMode
from img.adapters.linux import capabilities, userns
from img.application.ports.executor import ExecutorUnavailable, ProcessNotStarted
from img.domain.process import DirectoryRoot, Network, Process, Root

_NEEDED = capabilities.mask_of("chown", "mknod", "setgid", "setpcap", "setuid", "sys_chroot")


def may_change_roots() -> bool:
    """Tell whether this process may run steps in changed roots."""
    return capabilities.effective() & _NEEDED == _NEEDED and userns.is_initial()


class ChrootLauncher:
    """chroot(2), with files in the place of mounts.

    A step sees the processes and the network of the container that img runs in, an empty /proc,
    and no pseudo terminals; it has Docker's default capabilities without sys_chroot. It cannot
    reach the container's files, but it can kill the container's processes: run img in a container
    of its own.
    """

    def require(self) -> None:
        """Raise ExecutorUnavailable unless this process may change its root."""
        if not may_change_roots():
            raise ExecutorUnavailable(
                "the executor chroot is for root that may make devices, so in no user namespace",
                hint="leave --executor to img",
            )

    def launch(self, process: Process, root: Root) -> Launch:
        """Return the description of the step for the fork server."""
        refuse_what_needs_namespaces("chroot", process, root)
        return Launch(process, root, LaunchMode.CHROOT)


def refuse_what_needs_namespaces(executor: str, process: Process, root: Root) -> None:
    """Raise ExecutorUnavailable or ProcessNotStarted for requests that take namespaces."""
    if not isinstance(root, DirectoryRoot):
        raise ExecutorUnavailable(
            f"the executor {executor} cannot mount an overlay", hint="use --backend naive"
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
