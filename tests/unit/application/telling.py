"""Builds of images that record their inputs.

Steps named ``random`` give other files each time they are done; steps named ``derive`` tell of all
that they saw. So an image tells of which makings it is: it has to be one of each step, and a build
without a cache in which the steps give just that has to come to the same files.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from itertools import count

from img.adapters.blob_origins.memory import MemoryBlobOrigins
from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.cache_store.memory import MemoryCacheStore
from img.adapters.clock.fixed import FixedClock
from img.adapters.image_store.memory import MemoryImageStore
from img.adapters.index_store.memory import MemoryIndexStore
from img.adapters.registry.memory import MemoryRegistry
from img.adapters.snapshotter.memory import MemoryWorkspace
from img.adapters.state_lock.memory import MemoryStateLock
from img.application.ports.cache_store import CacheRecord
from img.application.ports.executor import OutputSink
from img.domain.digest import Digest
from img.domain.filesystem.entry import FILE
from img.domain.platform import Platform
from img.domain.process import DirectoryRoot, ExitStatus, Process, Root, TreeMount
from tests.support.in_memory_app import InMemoryApp, a_request

_TOKEN = re.compile(rb"token (\w+) (\d+)")
_MAKINGS = count(1)
MINUTE = timedelta(minutes=1)


def nothing() -> None:
    """Do nothing."""


class Killed(BaseException):
    """The end of a process, in the middle of what it does."""


class TimedLock(MemoryStateLock):
    """A lock that knows when work began."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__()
        self._clock = clock
        self._began: list[float] = []

    @contextmanager
    def working(self) -> Iterator[None]:
        began = self._clock.now().timestamp()
        self._began.append(began)
        try:
            with super().working():
                yield
        finally:
            self._began.remove(began)

    def oldest(self) -> float | None:
        return min(self._began, default=None)


class FragileCacheStore(MemoryCacheStore):
    """A store; its writer may be killed before the next record."""

    def __init__(self) -> None:
        super().__init__()
        self.kill_at: int | None = None

    def put(self, records: Sequence[tuple[Digest, CacheRecord]]) -> None:
        if self.kill_at is not None:
            self.kill_at -= 1
            if self.kill_at < 0:
                self.kill_at = None
                raise Killed
        super().put(records)


@dataclass(slots=True)
class ImgProcess(InMemoryApp):
    """A process of img; its steps record their inputs.

    ``makings`` gives what a random step leaves, by the step's name. ``during`` is called in the
    middle of each step.
    """

    makings: Callable[[str], int] = field(default=lambda _: 0)
    during: Callable[[], object] = nothing

    def _script(self, process: Process, root: Root, output: OutputSink) -> ExitStatus:
        del output
        kind, name = process.argv[-1].split()
        here = self._workspace(root)
        self.during()
        if kind == "random":
            here.write(f"r{name}", b"token %s %d" % (name.encode(), self.makings(name)))
            return ExitStatus(0)
        seen = _contents(here)
        for mount in process.mounts:
            if isinstance(mount, TreeMount):
                shown = _contents(self._workspace(mount.root))
                seen |= {f"m/{path}": content for path, content in shown.items()}
        tokens = sorted(
            {found.group() for text in seen.values() for found in _TOKEN.finditer(text)}
        )
        digest = hashlib.sha256(repr(sorted(seen.items())).encode()).hexdigest()
        here.write(f"d{name}", b"\n".join([digest.encode(), *tokens]))
        return ExitStatus(0)

    def _workspace(self, root: Root) -> MemoryWorkspace:
        assert isinstance(root, DirectoryRoot)
        return self.snapshotter.workspaces[root.path]


def _contents(workspace: MemoryWorkspace) -> dict[str, bytes]:
    return {
        path: workspace.open(path).read()
        for path, entry in workspace._entries.items()
        if entry.kind == FILE and path[:1] in "rdtc"
    }


class Store:
    """A state directory, and its processes."""

    def __init__(self, clock: FixedClock, registry: MemoryRegistry) -> None:
        self.clock = clock
        self.cache = FragileCacheStore()
        self.lock = TimedLock(clock)
        self.blobs = MemoryBlobStore()
        self._shared = {
            "clock": clock,
            "registry": registry,
            "cache": self.cache,
            "lock": self.lock,
            "blobs": self.blobs,
            "origins": MemoryBlobOrigins(),
            "images": MemoryImageStore(),
            "indexes": MemoryIndexStore(),
        }

    def process(self) -> "ImgProcess":
        """Return a new process of img."""
        return ImgProcess(**self._shared)  # type: ignore[arg-type]

    def build(
        self,
        text: str,
        files: Mapping[str, bytes],
        *,
        at: int = -1,
        during: Callable[[], object] = nothing,
        stages: tuple[str, ...] = (),
        platforms: Sequence[Platform] = (),
        cache_from: Sequence[str] = (),
        cache_to: Sequence[str] = (),
    ) -> Sequence[str]:
        """Build, and compare with a build that uses no cache; return the commands that were run.

        ``during`` happens in the middle of the step ``at``, if that many are run. ``stages`` are
        built anew. Images of several platforms are compared together.
        """
        self.clock.advance(2 * MINUTE)
        process, steps = self.process(), count()
        process.makings = lambda _: next(_MAKINGS)
        process.during = lambda: during() if next(steps) == at else None
        built = process.build(
            text,
            files,
            platforms=platforms,
            request=a_request(no_cache_filter=stages),
            cache_from=cache_from,
            cache_to=cache_to,
        )
        found = [process.files_in(image.layers) for image in built.images]
        makings = _makings(found)
        assert all(len(numbers) == 1 for numbers in makings.values()), f"{makings} in\n{text}"
        told = tuple(sorted((name, *numbers) for name, numbers in makings.items()))
        uncached = _without_cache(text, tuple(sorted(files.items())), told, tuple(platforms))
        assert found == uncached, text
        return [process.argv[-1] for process in process.executor.processes]


def machines(number: int) -> list[Store]:
    """Return machines of one time, that know one registry with an image ``base`` in it."""
    clock, registry = FixedClock(), MemoryRegistry()
    InMemoryApp(registry=registry).publish("base", {"etc/motd": b"hi"})
    return [Store(clock, registry) for _ in range(number)]


def _makings(images: Iterable[Mapping[str, bytes]]) -> dict[str, set[int]]:
    """Return of which runs of random steps images tell, by the steps' names."""
    makings: dict[str, set[int]] = {}
    for files in images:
        for content in files.values():
            for name, number in _TOKEN.findall(content):
                makings.setdefault(name.decode(), set()).add(int(number))
    return makings


@lru_cache
def _without_cache(
    text: str,
    files: tuple[tuple[str, bytes], ...],
    makings: tuple[tuple[str, int], ...],
    platforms: tuple[Platform, ...],
) -> list[dict[str, bytes]]:
    process = ImgProcess()
    process.publish("base", {"etc/motd": b"hi"})
    process.makings = lambda name: dict(makings).get(name, 0)
    request = a_request(no_cache=True)
    built = process.build(text, dict(files), request=request, platforms=platforms)
    return [process.files_in(image.layers) for image in built.images]
