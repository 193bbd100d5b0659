"""The supervisor of steps without a /proc."""

import os
import select
from collections.abc import Callable, Container, Mapping
from contextlib import suppress

from img.adapters.syscall_supervisor.dispatcher import Dispatcher, Handler
from img.adapters.syscall_supervisor.listener import Listener, NoProcessLeft
from img.adapters.syscall_supervisor.proc.callers import Callers
from img.adapters.syscall_supervisor.proc.calls import PathCalls
from img.adapters.syscall_supervisor.proc.files import ProcFiles
from img.adapters.syscall_supervisor.proc.process_tree import ProcessTree, ReachingCalls
from img.adapters.syscall_supervisor.proc.skeleton import Skeleton


class ProcSupervisor:
    """Answers the calls of all descendants of this process.

    ``devices`` are O_PATH descriptors that are opened in place of the files in /dev.

    This process is root, has the step's root and no umask, and the outer /proc is its working
    directory. A step that changes a path during a call only reaches files of its own root.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        masked: Container[bytes],
        tables: Mapping[bytes, bytes],
        devices: Mapping[bytes, int],
    ) -> None:
        self._listener = Listener(descriptor)
        skeleton = Skeleton(os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        handlers = _handlers(self._listener, skeleton, masked, tables, devices)
        self._dispatcher = Dispatcher(self._listener, handlers)

    def serve(self, waking: int, is_over: Callable[[], bool]) -> None:
        """Answer calls until ``is_over``, which is called whenever ``waking`` is readable."""
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
                    with suppress(NoProcessLeft):
                        self._dispatcher.attend()
                else:  # no process with the filter is left
                    poll.unregister(descriptor)


def handled_calls() -> frozenset[str]:
    """Return the names of the calls that have a handler."""
    return frozenset(_handlers(Listener(-1), Skeleton(-1), (), {}, {}))


def _handlers(
    listener: Listener,
    skeleton: Skeleton,
    masked: Container[bytes],
    tables: Mapping[bytes, bytes],
    devices: Mapping[bytes, int],
) -> Mapping[str, Handler]:
    callers, tree = Callers(), ProcessTree()
    files = ProcFiles(
        listener, callers, tree, skeleton, masked=masked, tables=tables, devices=devices
    )
    return {
        **PathCalls(listener, callers, files).handlers(),
        **ReachingCalls(tree, callers).handlers(),
    }
