"""Steps in containers of a runtime that implements runtime-spec: runc or crun."""

import subprocess
from functools import cache

from img.adapters.executor.find_on_host import find_program
from img.adapters.executor.launch import Launch, LaunchMode
from img.adapters.executor.unshare import network_of
from img.application.ports.executor import ExecutorUnavailable
from img.domain.process import DEFAULT_PATH, Process, Root


class RuntimeLauncher:
    """runc, crun, or a runtime with the options of one of them, in the namespaces of a build.

    Slower than UnshareLauncher (crun nearly twice, runc four times), for users who have reasons to
    trust a runtime more.
    """

    def __init__(self, runtime: str = "runc") -> None:
        self.runtime = runtime

    def require(self) -> None:
        """Raise ExecutorUnavailable unless the runtime is installed, and filters system calls."""
        program = find_program(self.runtime)
        if self.runtime == "crun" and not _filters_calls(program):
            raise ExecutorUnavailable(
                f"{program} was built without libseccomp: it cannot filter system calls",
                hint="install another crun, or leave --executor to img",
            )

    def usual(self) -> Launch:
        """Return the description of a step without options."""
        return Launch.usual(LaunchMode.RUNTIME)

    def launch(self, process: Process, root: Root) -> Launch:
        """Return the description of the step for the fork server."""
        runtime = find_program(self.runtime)
        return Launch(
            process, root, LaunchMode.RUNTIME, runtime, network_program=network_of(process)
        )


@cache
def _filters_calls(crun: str) -> bool:
    """Return whether crun was built with libseccomp. Raises ExecutorUnavailable.

    Without it crun ignores filters (libcrun/seccomp.c), while runc fails (seccomp_unsupported.go).
    """
    try:
        done = subprocess.run(
            [crun, "--root", "/", "--version"],  # crun makes the directory unless it exists
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"PATH": DEFAULT_PATH},
            check=False,
        )
    except OSError as error:
        raise ExecutorUnavailable(f"{crun} cannot be executed: {error.strerror}") from None
    return b"+SECCOMP" in done.stdout.split()
