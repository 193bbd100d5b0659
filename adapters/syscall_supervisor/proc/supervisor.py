"""What answers the calls of a step without a /proc."""

import os
import select
from collections.abc import Callable, Container, Mapping
from contextlib import suppress

from img.adapters.syscall_supervisor.dispatcher import Answerer, Handler
from img.adapters.syscall_supervisor.listener import EverybodyGone, Listener
from img.adapters.syscall_supervisor.proc.callers import Callers
from img.adapters.syscall_supervisor.proc.calls import PathCalls
from img.adapters.syscall_supervisor.proc.family import Family, ReachingCalls
from img.adapters.syscall_supervisor.proc.files import ProcFiles
from img.adapters.syscall_supervisor.proc.skeleton import Skeleton


class ProcSupervisor:
    """Answers all that descends from this process, which is root, with the step's root as its own,
    the outer /proc as its working directory, and no umask.

    Whoever fools it by changing a path meanwhile gets what it would find in its own root.
    """

    def __init__(
        self, descriptor: int, *, masked: Container[bytes], tables: Mapping[bytes, bytes]
    ) -> None:
        self._listener = Listener(descriptor)
        skeleton = Skeleton(os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        handlers = _handlers(self._listener, skeleton, masked, tables)
        self._answerer = Answerer(self._listener, handlers)

    def serve(self, waking: int, is_over: Callable[[], bool]) -> None:
        """Answer until ``is_over``, which is asked whenever there is something in ``waking``."""
        self._listener.share_processor()
        poll = select.poll()
        poll.register(self._listener.descriptor, select.POLLIN)
        poll.register(waking, select.POLLIN)
        while True:
            for descriptor, event in poll.poll():
                if descriptor == waking:
                    os.read(waking, 4096)
                    if is_over():
                        return
                elif event & select.POLLIN:
                    with suppress(EverybodyGone):
                        self._answerer.attend()
                else:  # nobody is left under the filter
                    poll.unregister(descriptor)


def handled_calls() -> frozenset[str]:
    """Return the names of the calls that can be answered."""
    return frozenset(_handlers(Listener(-1), Skeleton(-1), (), {}))


def _handlers(
    listener: Listener,
    skeleton: Skeleton,
    masked: Container[bytes],
    tables: Mapping[bytes, bytes],
) -> Mapping[str, Handler]:
    callers, family = Callers(), Family()
    files = ProcFiles(listener, callers, family, skeleton, masked=masked, tables=tables)
    return {
        **PathCalls(listener, callers, files).handlers(),
        **ReachingCalls(family, callers).handlers(),
    }
