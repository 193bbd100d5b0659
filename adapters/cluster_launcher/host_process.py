"""Clusters in a process of their own, which ends them when this process ends in any way."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import img
from img.application.ports.cluster_launcher import (
    ClusterEndpoint,
    ClusterLauncher,
    ClusterNotStarted,
    MissingClusterExtra,
    StartCluster,
)
from img.domain.errors import UsageError
from img.domain.json_text import InvalidJson, parse_json
from img.domain.options.cluster_address import (
    BatchSystem,
    ClusterAddress,
    Kubernetes,
    SchedulerAddress,
)
from img.domain.options.cluster_settings import ClusterSettings

# As the Python API starts its engine (entrypoints/api/engine.py). Dask is imported for a request
# alone: a build with cached steps alone makes none.
_START = """
import sys
request = sys.stdin.buffer.readline()
if request:
    sys.path.insert(0, sys.argv[1])
    import img
    sys.path.append(sys.path.pop(0))
    from img.adapters.cluster_launcher.host import main
    main(request)
"""
_MOST_ANSWER = 1 << 20  # bytes
_MOST_LOG = 4096
_END_S = 60.0  # a batch system may be slow to cancel jobs
_FIELDS = (
    *("workers", "processors", "memory", "walltime", "queue", "account", "directives", "prologue"),
    *("command", "interface", "state", "logs", "start_timeout_s", "ca", "cert", "key"),
)


class HostProcessLauncher(ClusterLauncher):
    """A process for each cluster: its scheduler, and the commands that start workers.

    It waits for the first call of the function. The process reads the end of a pipe when this one
    ends, and takes the cluster down. It is in the user's own namespaces, where ssh and batch
    systems know the user; this process enters others later. Dask is not imported here.
    """

    @contextmanager
    def prepared(
        self, address: ClusterAddress, settings: ClusterSettings
    ) -> Iterator[StartCluster]:
        match address:
            case SchedulerAddress(tls=tls):
                if tls and not settings.has_tls:
                    raise UsageError(
                        f"--cluster {address} needs certificates",
                        hint="set ca, cert and key in [cluster] of the settings file, or "
                        "IMG_CLUSTER_CA, IMG_CLUSTER_CERT and IMG_CLUSTER_KEY",
                    )
                require_extra(f"--cluster {address}", started=False)
                files = (settings.ca, settings.cert, settings.key) if tls else ("", "", "")
                endpoint = ClusterEndpoint(
                    address=str(address), ca=files[0], cert=files[1], key=files[2]
                )
                yield lambda: endpoint
            case Kubernetes():
                raise ClusterNotStarted(
                    "img starts no workers on Kubernetes",
                    hint="apply examples/cluster/kubernetes.yaml, and name its scheduler with "
                    "--cluster tls://HOST:PORT (docs/cluster.md)",
                )
            case _:
                require_extra(f"--cluster {address}", batch=isinstance(address, BatchSystem))
                with _Host(address, settings) as host:
                    yield host.endpoint


def require_extra(user: str, *, batch: bool = False, started: bool = True) -> None:
    """Raise MissingClusterExtra, which names ``user``, if a package is not installed.

    A cluster that is ``started`` needs certificates, and one of a batch system its jobs.
    """
    more = ("cryptography",) if started else ()
    for package in ("distributed", *more, *(("dask_jobqueue",) if batch else ())):
        if find_spec(package) is None:
            raise MissingClusterExtra(user, package.replace("_", "-"))


class _Host:
    """The process of one cluster."""

    def __init__(self, address: ClusterAddress, settings: ClusterSettings) -> None:
        self._address = address
        self._endpoint: ClusterEndpoint | None = None
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in __exit__)
        request = {
            "address": str(address),
            "settings": {name: getattr(settings, name) for name in _FIELDS},
        }
        self._request = json.dumps(request).encode() + b"\n"
        # A session of its own: Ctrl-C at the terminal is for this process alone.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, _package_root()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
            cwd="/",
        )

    def __enter__(self) -> "_Host":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # workers end without their scheduler
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def endpoint(self) -> ClusterEndpoint:
        """Start the cluster and wait for the first worker. Raises ClusterNotStarted."""
        if self._endpoint is None:
            assert self._process.stdin is not None
            with suppress(BrokenPipeError):  # it has failed; its answer or log says why
                self._process.stdin.write(self._request)
                self._process.stdin.flush()
            self._endpoint = self._answer()
        return self._endpoint

    def _answer(self) -> ClusterEndpoint:
        assert self._process.stdout is not None
        line = self._process.stdout.readline(_MOST_ANSWER)
        try:
            answer = parse_json(line)
        except InvalidJson:
            answer = None
        if not isinstance(answer, dict) or not all(isinstance(v, str) for v in answer.values()):
            raise ClusterNotStarted(f"--cluster {self._address}: {self._last_words()}")
        if "error" in answer:
            hint = str(answer.get("hint", "")) or None
            raise ClusterNotStarted(f"--cluster {self._address}: {answer['error']}", hint=hint)
        return ClusterEndpoint(**{name: str(value) for name, value in answer.items()})

    def _last_words(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _MOST_LOG))
        lines = self._log.read().decode(errors="replace").split("\n")
        words = [line.strip() for line in lines if line.strip()]
        return words[-1] if words else "the process of its scheduler ended"


def _package_root() -> str:
    assert img.__file__ is not None
    return os.path.dirname(os.path.dirname(Path(img.__file__).absolute()))
