"""Steps in containers of a runtime that speaks runtime-spec: runc or crun."""

import os

from img.adapters.executor.fork_server import ForkServer
from img.adapters.executor.reports import Launch, Way
from img.adapters.executor.unshare import UnshareExecutor
from img.application.ports.executor import ExecutorUnavailable
from img.domain.errors import HostError
from img.domain.process import Process, Root


class RuncExecutor(UnshareExecutor):
    """runc, crun, or what takes the options of one of them, in the namespaces of a build.

    Slower than doing it ourselves (crun twice, runc five times), and for those who have reasons
    to trust one of them more.
    """

    def __init__(
        self,
        server: ForkServer | None = None,
        *,
        obstacle: HostError | None = None,
        runtime: str = "runc",
    ) -> None:
        super().__init__(server, obstacle=obstacle)
        self.runtime = runtime

    def _launch(self, process: Process, root: Root) -> Launch:
        return Launch(process, root, Way.RUNTIME, find_program(self.runtime))


def find_program(name: str) -> str:
    """Return the path of a program that an executor needs. Raises ExecutorUnavailable."""
    search = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
    for directory in search.split(os.pathsep):
        path = os.path.join(directory, name)
        if directory and os.access(path, os.X_OK):
            return path
    raise ExecutorUnavailable(
        f"{name} is not installed", hint=f"install {name}, or leave --executor to img"
    )
