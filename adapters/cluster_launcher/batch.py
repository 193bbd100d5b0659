"""Workers as jobs of Slurm and PBS, by the library dask-jobqueue."""

import asyncio
import os
import shlex
from asyncio.subprocess import DEVNULL
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from dask_jobqueue.pbs import PBSCluster, PBSJob
from dask_jobqueue.slurm import SLURMCluster, SLURMJob
from distributed.deploy.spec import ProcessInterface

from img.adapters.cluster_launcher.certificates import Certificates
from img.domain.options.cluster_settings import ClusterSettings

_DEATH_TIMEOUT_S = 60  # a worker of a job that starts after its scheduler has ended
_COMMAND = "IMG"  # stands for the command of img in what dask-jobqueue writes


class _ImgJob:
    """A job that runs ``img worker``; dask-jobqueue can only run modules of Python."""

    _command_template: str

    def __init__(self, scheduler: str | None = None, name: str | None = None, **more: Any) -> None:
        command: str = more.pop("img")
        module = {"python": _COMMAND, "worker_command": "worker"}
        super().__init__(scheduler, name, **module, **more)  # type: ignore[call-arg]
        written = f"{_COMMAND} -m worker"
        assert self._command_template.startswith(written)
        self._command_template = command + " worker" + self._command_template[len(written) :]
        self.failure: Exception | None = None  # why the job could not be submitted

    async def start(self) -> None:
        """Submit the job; a cluster with workers that raise cannot be closed."""
        try:
            await super().start()  # type: ignore[misc]
        except (RuntimeError, OSError, ValueError) as error:
            self.failure = error
            await ProcessInterface.start(self)  # type: ignore[arg-type]

    async def close(self) -> None:
        """Cancel the job, and note it for the cluster, which dask-jobqueue does not do."""
        await super().close()  # type: ignore[misc]
        await ProcessInterface.close(self)  # type: ignore[arg-type]


class _SlurmJob(_ImgJob, SLURMJob):
    """A job of Slurm."""


class _PbsJob(_ImgJob, PBSJob):
    """A job of PBS."""


_KINDS: Mapping[str, tuple[type[Any], type[Any]]] = {
    "slurm": (SLURMCluster, _SlurmJob),
    "pbs": (PBSCluster, _PbsJob),
}
# Without these options, jobs write files into the current directory.
_NO_OUTPUT = {
    "slurm": ("--output=/dev/null", "--error=/dev/null"),
    "pbs": ("-j oe", "-o /dev/null"),
}
_ELSEWHERE = {"slurm": ("--chdir=/",), "pbs": ()}  # the current directory may not exist there


def batch_cluster(
    kind: str,
    settings: ClusterSettings,
    certificates: Certificates,
    *,
    command: Sequence[str],
    job_name: str,
) -> Any:
    """Return a cluster that submits its jobs once it is awaited."""
    cluster, job = _KINDS[kind]
    extra = ["--state", settings.state] if settings.state else []
    directives = [*settings.directives, *_ELSEWHERE[kind]]
    if settings.logs:
        os.makedirs(settings.logs, exist_ok=True)
    else:
        directives += _NO_OUTPUT[kind]
    return cluster(
        name=kind,  # workers are slurm-0, slurm-1 …
        n_workers=settings.workers,
        job_cls=job,
        img=shlex.join(command),
        cores=settings.processors,
        processes=1,
        memory=f"{settings.memory}B",
        walltime=settings.walltime,
        queue=settings.queue or None,
        account=settings.account or None,
        job_name=job_name,
        job_extra_directives=directives,
        job_script_prologue=list(settings.prologue) or None,
        worker_extra_args=[shlex.quote(each) for each in extra],
        death_timeout=_DEATH_TIMEOUT_S,
        log_directory=settings.logs or None,
        interface=settings.interface or None,
        protocol="tls://",
        security=certificates.security(),
        scheduler_options={"port": 0, "dashboard_address": "127.0.0.1:0"},
        asynchronous=True,
    )


async def cancel_jobs(kind: str, job_name: str) -> None:
    """Cancel what is left of the jobs of that name; a submission may have been interrupted."""
    if kind == "slurm":
        await _run("scancel", "--name", job_name)
    else:
        await _run("sh", "-c", 'qselect -N "$1" | xargs -r qdel', "sh", job_name)


async def _run(*command: str) -> None:
    with suppress(OSError):
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        await process.wait()
