"""The process of a cluster.

For one line of JSON it starts the cluster, and answers with one line: the endpoint, or an error.
It ends the cluster, and itself, at the end of its standard input, and on SIGTERM.
"""

import asyncio
import json
import os
import secrets
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from distributed.deploy.spec import SpecCluster
from distributed.scheduler import Scheduler
from distributed.system import MEMORY_LIMIT

from img.adapters.cluster_launcher.certificates import Certificates
from img.adapters.cluster_launcher.command_worker import CommandWorker
from img.adapters.storage.own_files import make_directories
from img.domain.options.cluster_address import (
    BatchSystem,
    LocalWorkers,
    SshHosts,
    parse_cluster,
)
from img.domain.options.cluster_settings import ClusterSettings

_POLL_S = 0.05
_PATIENCE_S = 300.0  # for the first worker
_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15")


class NotStarted(Exception):
    """A cluster that did not start."""


def main(request: bytes) -> None:
    """Serve the cluster that the request names."""
    asyncio.run(_serve(json.loads(request)))


async def _serve(request: dict[str, Any]) -> None:
    given: Any = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in request["settings"].items()
    }
    settings = ClusterSettings(**given)
    ended = _end_of_input()
    try:
        async with _cluster(request["address"], settings) as (cluster, certificates):
            await _first_worker(cluster, settings, ended)
            if ended.is_set():
                return
            answer = {
                "address": cluster.scheduler.address,
                "dashboard": f"http://127.0.0.1:{cluster.scheduler.http_server.port}/status",
                "ca": certificates.ca,
                "cert": certificates.cert,
                "key": certificates.key,
            }
            _answer(answer)
            await ended.wait()
    except (NotStarted, OSError, RuntimeError, ValueError) as error:
        _answer({"error": _first_line(error)})


@asynccontextmanager
async def _cluster(text: str, settings: ClusterSettings) -> AsyncIterator[tuple[Any, Certificates]]:
    """Enter with the started cluster, and end it."""
    certificates = Certificates.temporary()
    if settings.has_tls:
        certificates = Certificates(ca=settings.ca, cert=settings.cert, key=settings.key)
    address = parse_cluster(text)
    async with AsyncExitStack() as left:
        match address:
            case BatchSystem(kind):
                from img.adapters.cluster_launcher.batch import batch_cluster, cancel_jobs

                files = left.enter_context(certificates.in_files(_shared_directory()))
                job_name = f"img-{secrets.token_hex(4)}"
                command = shlex.split(settings.command) or [sys.executable, "-m", "img"]
                left.push_async_callback(cancel_jobs, kind, job_name)
                cluster = batch_cluster(kind, settings, files, command=command, job_name=job_name)
            case LocalWorkers(count):
                names = [f"local-{number}" for number in range(1, count + 1)]
                commands = {name: _local_command(name, count, settings) for name in names}
                cluster = _of_commands(commands, certificates, host="127.0.0.1")
            case SshHosts(hosts):
                commands = {host: _ssh_command(host, settings) for host in hosts}
                cluster = _of_commands(commands, certificates, interface=settings.interface)
            case _:
                raise NotStarted(f"img starts no cluster at {text}")
        left.push_async_callback(cluster.close)
        await cluster
        yield cluster, certificates


def _of_commands(
    commands: dict[str, Sequence[str]], certificates: Certificates, **where: str
) -> SpecCluster:
    security = certificates.security()
    content = {"ca": certificates.ca, "cert": certificates.cert, "key": certificates.key}
    if not certificates.are_texts:
        content = {name: Path(path).read_text() for name, path in content.items()}
    given = json.dumps(content).encode() + b"\n"
    options = {
        "port": 0,
        "protocol": "tls://",
        "dashboard_address": "127.0.0.1:0",
        "security": security,
        **{name: value for name, value in where.items() if value},
    }
    workers = {
        name: {"cls": CommandWorker, "options": {"name": name, "command": line, "given": given}}
        for name, line in commands.items()
    }
    return SpecCluster(
        workers=workers,
        scheduler={"cls": Scheduler, "options": options},
        security=security,
        silence_logs="error",
        asynchronous=True,
    )


def _local_command(name: str, count: int, settings: ClusterSettings) -> Sequence[str]:
    processors = max(1, len(os.sched_getaffinity(0)) // count)
    state = os.path.join(settings.state or _local_states(), name)
    return [
        *(shlex.split(settings.command) or [sys.executable, "-m", "img"]),
        *("worker", "{scheduler}", "--tls-stdin", "--name", name),
        *("--nthreads", str(processors), "--state", state),
        *("--memory-limit", str(MEMORY_LIMIT // count)),
    ]


def _ssh_command(host: str, settings: ClusterSettings) -> Sequence[str]:
    remote = [
        *(shlex.split(settings.command) or ["img"]),
        *("worker", "{scheduler}", "--tls-stdin", "--name", host),
        *(("--state", settings.state) if settings.state else ()),
    ]
    return [*_SSH, "--", host, shlex.join(remote).replace("'{scheduler}'", "{scheduler}")]


def _local_states() -> str:
    """Return the directory for states of workers on this machine."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.join(data, "img-workers")


def _shared_directory() -> str:
    """Return a private directory in the home, which machines of a batch system share."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(cache, "img")
    make_directories(path)
    return path


async def _first_worker(cluster: Any, settings: ClusterSettings, ended: asyncio.Event) -> None:
    """Wait for a worker, or until ``ended`` is set. Raises NotStarted."""
    loop = asyncio.get_running_loop()
    patience_s = _PATIENCE_S if settings.start_timeout_s is None else settings.start_timeout_s
    deadline = loop.time() + patience_s
    while not cluster.scheduler.workers and not ended.is_set():
        workers = list(cluster.workers.values())
        if failure := next((each.failure for each in workers if each.failure), None):
            raise NotStarted(_first_line(failure))
        codes = [each.exit_code for each in workers if isinstance(each, CommandWorker)]
        if codes and None not in codes:
            words = next((f": {each.last_words}" for each in workers if each.last_words), "")
            raise NotStarted(f"all workers ended, with the exit code {codes[0]}{words}")
        if loop.time() > deadline:
            raise NotStarted(f"no worker has started within {patience_s:g} s")
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), _POLL_S)


def _end_of_input() -> asyncio.Event:
    """Return an event that is set at the end of standard input, and on SIGTERM."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGINT, ended.set)

    def readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            ended.set()

    loop.add_reader(0, readable)
    return ended


def _answer(document: dict[str, str]) -> None:
    sys.stdout.buffer.write(json.dumps(document).encode() + b"\n")
    sys.stdout.buffer.flush()


def _first_line(error: Exception) -> str:
    """Return the failure in one line; dask-jobqueue puts stderr of a command at the end."""
    if isinstance(error, FileNotFoundError) and error.filename:
        missing = "not installed" if os.sep not in str(error.filename) else "not there"
        return f"{error.filename} is {missing}"
    text = str(error) or type(error).__name__
    _, found, said = text.partition("stderr:\n")
    lines = [line.strip() for line in (said if found else text).splitlines() if line.strip()]
    return lines[-1] if lines else text
