"""Locks on files of the state directory; a crash releases them."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from img.adapters.storage.atomic_file import raise_state_error
from img.adapters.storage.disk_reserve import Reserve
from img.adapters.storage.own_files import Lock, NoLocks, make_directories, open_own_file
from img.application.ports.state_lock import Collecting, StateLock
from img.domain.errors import StateError


class FileStateLock(StateLock):
    """Each running command holds a lock on its own file, ``state/leases/<number>`` (flock(2)).

    Numbers increase, ``state/leases/last`` has the last one. Garbage collection holds
    ``state/lock``, and uses the disk reserve if necessary.
    """

    def __init__(self, state: Path) -> None:
        self._state = os.fspath(state)
        self._leases = f"{self._state}/leases"
        self._reserve = Reserve(self._state)

    @contextmanager
    def working(self) -> Iterator[None]:
        with ExitStack() as held:
            with self._numbers():
                path = f"{self._leases}/{self._next()}"
                held.callback(_unlink, path)
                held.enter_context(Lock(path))
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        with ExitStack() as held:
            with contextlib.suppress(StateError):
                held.enter_context(self.working())
            yield

    @contextmanager
    def collecting(self, *, wait: bool = True) -> Iterator["FileCollecting | None"]:
        self._prepare()
        with ExitStack() as held:
            if self._reserve.spend():
                held.callback(self._reserve.fill)
            try:
                held.enter_context(Lock(f"{self._state}/lock", wait=wait))
            except BlockingIOError:
                yield None
                return
            except NoLocks as error:
                raise_state_error(error, self._state)
            with self._numbers():
                generation = self._next()
            yield FileCollecting(generation, self)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        with self._numbers():
            yield not self._live()

    def oldest(self) -> float | None:
        try:
            return min(self.live().values(), default=None)
        # telling takes write access; without it all leases are taken for live ones
        except StateError:
            return min(self._all().values(), default=None)

    def live(self) -> dict[int, float]:
        """Return the start times of running commands by number; delete leases of ended ones."""
        with self._numbers():
            return self._live()

    def _live(self) -> dict[int, float]:
        live = {}
        for number in self._listed():
            path = f"{self._leases}/{number}"
            try:
                with Lock(path, wait=False):
                    _unlink(path)
            except BlockingIOError:
                with contextlib.suppress(FileNotFoundError):
                    live[number] = os.stat(path).st_mtime
        return live

    def _all(self) -> dict[int, float]:
        began = {}
        with contextlib.suppress(OSError):
            for number in self._listed():
                with contextlib.suppress(OSError):
                    began[number] = os.stat(f"{self._leases}/{number}").st_mtime
        return began

    def _listed(self) -> list[int]:
        return [int(name) for name in os.listdir(self._leases) if name.isdecimal()]

    def _next(self) -> int:
        """Return a number above all earlier ones. After a crash of the machine it may be lower."""
        path = f"{self._leases}/last"
        try:
            with open(path, encoding="ascii") as file:
                last = int(file.read())
        except (FileNotFoundError, ValueError):
            last = 0
        number = 1 + max(last, *self._listed(), 0)
        # Written in place: the process has the lock, and a full disk keeps the block.
        with open(open_own_file(path, os.O_WRONLY | os.O_CREAT), "w") as file:
            file.write(f"{number:020d}")
        return number

    @contextmanager
    def _numbers(self) -> Iterator[None]:
        """Lock the numbers, so that no lease is created meanwhile."""
        self._prepare()
        try:
            with Lock(f"{self._leases}/lock"):
                yield
        except BlockingIOError:
            raise
        except OSError as error:
            raise_state_error(error, self._leases)

    def _prepare(self) -> None:
        """Create the directory, without access for other users (0700)."""
        try:
            make_directories(self._state)
        except OSError as error:
            raise StateError(
                f"cannot make the state directory {self._state}: {error.strerror}",
                hint="name another one with --state",
            ) from None
        if not os.access(self._state, os.W_OK):
            raise StateError(
                f"cannot write to the state directory {self._state}",
                hint="name another one with --state",
            )
        make_directories(self._leases)


class FileCollecting(Collecting):
    """A running garbage collection."""

    def __init__(self, generation: int, lock: FileStateLock) -> None:
        self._generation = generation
        self._lock = lock

    @property
    def generation(self) -> int:
        return self._generation

    def ended(self, generation: int) -> bool:
        return all(number > generation for number in self._lock.live())


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
