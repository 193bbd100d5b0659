"""Debian's Slurm on this machine alone, for a test: one node, with a munge of its own."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from img.adapters.linux.processes import children_of_all, descendants_of
from tests.support.host.machine import need_root, program
from tests.support.servers.free_port import free_port

_START_S = 20.0
_END_S = 5.0
_PROCESSORS = 8  # more than there may be: Slurm need not count them
_MEMORY_MB = 8000
_CONFIG = """
ClusterName=img
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={state}/munge/socket
StateSaveLocation={state}/save
SlurmdSpoolDir={state}/spool
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
KillWait=3
MinJobAge=2
ReturnToService=2
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={processors} RealMemory={memory} State=UNKNOWN
PartitionName=img Nodes={host} Default=YES State=UP
"""


class SlurmServer:
    """``with SlurmServer() as slurm``: its programs work with ``slurm.environment``."""

    def __enter__(self) -> "SlurmServer":
        need_root()
        munged, controller, node = map(program, ("munged", "slurmctld", "slurmd"))
        self._state = Path(tempfile.mkdtemp(prefix="slurm-"))
        self._state.chmod(0o755)  # jobs of other users read the configuration
        self._running = ExitStack()
        config = self._state / "slurm.conf"
        config.write_text(
            _CONFIG.format(
                host=socket.gethostname().partition(".")[0],
                state=self._state,
                controller=free_port(),
                node=free_port(),
                processors=_PROCESSORS,
                memory=_MEMORY_MB,
            )
        )
        for name in ("save", "spool"):
            (self._state / name).mkdir()
        self.environment: Mapping[str, str] = {**os.environ, "SLURM_CONF": str(config)}
        try:
            self._start_munge(munged)
            self._start(controller, "-D", "-f", str(config))
            self._start(node, "-D", "-f", str(config))
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def queue(self) -> Sequence[str]:
        """Return the numbers of the jobs that wait or run."""
        return self._run("squeue", "--noheader", "--format=%i").split()

    def stop(self) -> None:
        """End the daemons and forget their state."""
        self._running.close()
        shutil.rmtree(self._state, ignore_errors=True)

    def _start_munge(self, munged: str) -> None:
        place = self._state / "munge"
        place.mkdir(mode=0o755)
        key = place / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        files = {"key": key, "socket": place / "socket", "log": place / "log"}
        files |= {"pid": place / "pid", "seed": place / "seed"}
        options = [
            f"--{'socket' if name == 'socket' else f'{name}-file'}={path}"
            for name, path in files.items()
        ]
        self._start(munged, "--foreground", "--force", *options)
        _until(files["socket"].exists, "munged")

    def _start(self, *command: str) -> None:
        log = self._running.enter_context((self._state / "log").open("ab"))
        process = subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        self._running.callback(_end, process)

    def _wait(self) -> None:
        _until(lambda: "idle" in self._run("sinfo", "--noheader", "--format=%t"), "slurmd")

    def _run(self, name: str, *options: str) -> str:
        done = subprocess.run(
            [program(name), *options],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        return done.stdout


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a daemon, and the steps of jobs that it has started."""
    started = list(descendants_of(process.pid, children_of_all()))
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in started:
        with suppress(ProcessLookupError):
            os.kill(pid, 9)


def _until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _START_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} does not start")
        time.sleep(0.1)
