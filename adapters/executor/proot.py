"""Steps under PRoot, for users who may make no namespaces."""

import os

from img.adapters.executor.chroot import refuse_what_needs_namespaces
from img.adapters.executor.find_on_host import find_program
from img.adapters.executor.launch import Launch, Way
from img.adapters.executor.unshare import UnshareExecutor
from img.application.ports.executor import ExecutorUnavailable
from img.domain.process import Process, Root


class ProotExecutor(UnshareExecutor):
    """PRoot, with a filter below it that keeps newer system calls from going past it.

    Slow (3 to 15 times), and no boundary: a step that means harm may do what the user may. Without
    ``emulation`` owners that a step gives to files are lost: all it makes is root's.
    """

    def require(self) -> None:
        super().require()
        if os.geteuid() == 0:  # it would run what it cannot hold with all that root may do
            raise ExecutorUnavailable(
                "the executor proot is for users", hint="as root, use chroot or unshare"
            )
        find_program("proot")

    def _launch(self, process: Process, root: Root) -> Launch:
        self.require()
        refuse_what_needs_namespaces("proot", process, root)
        return Launch(process, root, Way.PROOT, find_program("proot"), emulation=self._emulation)
