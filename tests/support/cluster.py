"""Schedulers and workers of Dask in this process, for tests of the adapter alone."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from distributed import Scheduler, Worker
from distributed.security import Security

from img.adapters.cluster import codec
from img.adapters.cluster.dask_worker import set_performer
from img.adapters.cluster.scripted import Perform
from img.domain.errors import ImgError
from img.domain.graph.task import KeptMount


class Performing:
    """A performer of tasks that calls a function in the thread of the worker."""

    def __init__(self, perform: Perform) -> None:
        self._perform = perform

    def perform(
        self,
        task: str,
        secrets: Mapping[str, bytes],
        on_output: Callable[[int, bytes], None],
        is_cancelled: Callable[[], bool],
        on_kept: Callable[[str], None],
    ) -> str:
        watch = _Watch(on_output, secrets, on_kept)
        try:
            return codec.encode_answer(
                self._perform(codec.decode_task(task), watch, _Asked(is_cancelled))
            )
        except ImgError as error:
            return codec.encode_error(error)


class _Watch:
    def __init__(
        self,
        on_output: Callable[[int, bytes], None],
        secrets: Mapping[str, bytes],
        on_kept: Callable[[str], None],
    ) -> None:
        self.output = on_output
        self._secrets = secrets
        self._on_kept = on_kept

    def kept(self, mounts: Sequence[KeptMount]) -> None:
        self._on_kept(codec.encode_kept(mounts))

    def secrets(self) -> Mapping[str, bytes]:
        return self._secrets

    def begun(self, worker: str) -> None: ...


class _Asked(Event):
    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        super().__init__()
        self._is_cancelled = is_cancelled

    def is_set(self) -> bool:
        return self._is_cancelled()

    def wait(self, timeout: float | None = None) -> bool:
        left = 100 if timeout is None else int(timeout * 20)
        while left and not self.is_set():
            super().wait(0.05)
            left -= 1
        return self.is_set()


@contextmanager
def dask_in_process(
    perform: Perform,
    workers: Mapping[str, Mapping[str, float]],
    security: Security | None,
    *,
    slots: int,
) -> Iterator[str]:
    """Enter with the address of a scheduler with ``workers``: their resources by name.

    It uses TLS if there is a ``security``.
    """
    protocol = "tls" if security else "tcp"
    started, ended = Event(), Event()
    found: list[Any] = []

    async def serve() -> None:
        async with Scheduler(
            port=0, dashboard_address=":0", host="127.0.0.1", protocol=protocol, security=security
        ) as scheduler:
            members = []
            for name, resources in workers.items():
                worker = await Worker(
                    scheduler.address,
                    name=name,
                    nthreads=slots,
                    resources=dict(resources),
                    dashboard=False,
                    security=security,
                    executor=ThreadPoolExecutor(slots),
                )
                set_performer(worker, Performing(perform))
                members.append(worker)
            found.append(scheduler.address)
            started.set()
            while not ended.is_set():
                await asyncio.sleep(0.05)
            for worker in members:
                await worker.close(timeout=2)

    thread = Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(30)
    try:
        yield found[0]
    finally:
        ended.set()
        thread.join(10)
