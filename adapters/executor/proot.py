"""Steps under PRoot, for users without namespaces."""

import os

from img.adapters.executor.chroot import refuse_what_needs_namespaces
from img.adapters.executor.find_on_host import find_program
from img.adapters.executor.launch import Launch, LaunchMode
from img.adapters.executor.proot_files import is_system_writable
from img.adapters.linux import landlock
from img.adapters.syscall_supervisor.root.level import Emulation
from img.application.ports.executor import ExecutorUnavailable
from img.domain.process import Process, Root


class ProotLauncher:
    """PRoot, with a seccomp filter that refuses system calls which PRoot does not intercept.

    Slow (3 to 15 times), and no security boundary: a hostile step can do all that the user can. A
    step of root has no capabilities. Without ``emulation`` all files that a step makes belong to
    root.
    """

    def __init__(self, emulation: Emulation | None = None) -> None:
        self._emulation = emulation

    def require(self) -> None:
        """Raise ExecutorUnavailable unless PRoot is installed, and steps cannot change the machine.

        Root without capabilities may still write to files of /proc/sys, which containers protect.
        """
        if os.geteuid() == 0 and not landlock.handles_files() and is_system_writable():
            raise ExecutorUnavailable(
                "the executor proot cannot keep a step of root from settings of this machine",
                hint="use unshare, or proot as a user other than root",
            )
        find_program("proot")

    def usual(self) -> Launch:
        """Return the description of a step without options."""
        return Launch.usual(LaunchMode.PROOT, self._emulation)

    def launch(self, process: Process, root: Root) -> Launch:
        """Return the description of the step for the fork server."""
        self.require()
        refuse_what_needs_namespaces("proot", process, root)
        return Launch(
            process, root, LaunchMode.PROOT, find_program("proot"), emulation=self._emulation
        )
