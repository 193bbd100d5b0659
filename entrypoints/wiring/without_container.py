"""Objects for commands that need one adapter: to make the container would take them longer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from img.entrypoints.lazy import lazy_imports

with lazy_imports(__name__):
    from img.adapters.cluster_launcher.host_process import HostProcessLauncher, require_extra
    from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
    from img.adapters.foreign_programs.binfmt import BinfmtPrograms
    from img.adapters.host_survey.linux import LinuxSurvey
    from img.adapters.linux.regular_files import read_regular
    from img.adapters.shared_blobs.directory import DirectorySharedBlobs
    from img.adapters.state_lock.file import FileStateLock
    from img.application.usecases.diagnose import Diagnose
    from img.domain.errors import UsageError
    from img.domain.options.cluster_settings import SettingsFile, parse_cluster_settings
    from img.entrypoints.settings_files import settings_files_here

if TYPE_CHECKING:
    from img.adapters.cluster_launcher.worker import DaskWorker
    from img.application.ports.cluster_launcher import StartCluster
    from img.application.ports.dockerfile_parser import DockerfileParser
    from img.domain.options.cluster_address import ClusterAddress, SchedulerAddress
    from img.domain.options.cluster_settings import ClusterSettings
    from img.domain.options.cluster_store import ClusterStore

_MOST_SETTINGS = 1 << 20  # bytes


def dockerfile_parser() -> DockerfileParser:
    """Return the parser of Dockerfiles."""
    return DockerfileParseParser()


def diagnose() -> Diagnose:
    """Return the use case of ``img doctor``."""
    return Diagnose(survey=LinuxSurvey())


def prepared_cluster(
    address: ClusterAddress, settings: ClusterSettings
) -> AbstractContextManager[StartCluster]:
    """Return a context of a cluster, for a process that has entered no namespaces.

    Entering raises ClusterNotStarted, UsageError.
    """
    return HostProcessLauncher().prepared(address, settings)


def check_cluster_store(place: ClusterStore) -> None:
    """Raise SharedBlobsError for a directory that is not there, before a cluster is started."""
    from img.domain.options.cluster_store import DirectoryStore

    if isinstance(place, DirectoryStore):
        DirectorySharedBlobs(place)


def cluster_settings(environment: Mapping[str, str]) -> ClusterSettings:
    """Return the settings of clusters in the settings files. Raises UsageError."""
    files = []
    for path in settings_files_here(environment):
        try:
            content = read_regular(path, _MOST_SETTINGS)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        directory = os.path.dirname(os.path.abspath(path))
        files.append(SettingsFile(path=path, directory=directory, content=content))
    return parse_cluster_settings(files, environment)


def cluster_worker(scheduler: SchedulerAddress, *, state: str, **options: Any) -> DaskWorker:
    """Return the worker of ``img worker``, which runs programs of all platforms that run here.

    ``options`` are those of WorkerOptions, ``on_joined`` and ``on_waiting``. Raises
    MissingClusterExtra, and StateError for a ``state`` that cannot be written.
    """
    require_extra("img worker")
    with FileStateLock(Path(state)).working():
        pass
    from img import __version__
    from img.adapters.cluster_launcher.worker import DaskWorker, WorkerOptions
    from img.domain.cluster_worker import PLATFORMS
    from img.entrypoints.settings import host_platform

    host = host_platform()
    callbacks = {name: options.pop(name) for name in ("on_joined", "on_waiting")}
    natives = [each for each in PLATFORMS if BinfmtPrograms(host, Path(os.devnull)).run(each)]
    running = [each for each in PLATFORMS if BinfmtPrograms(host).run(each)]
    return DaskWorker(
        WorkerOptions(scheduler=scheduler, **options),
        natives=natives,
        emulated=[each for each in running if each not in natives],
        version=__version__,
        **callbacks,
    )
