"""A Python interpreter that opens no more files by itself, for processes in a foreign root.

In the root file system of an image, Python's own paths lead to files of the image: a late import, a
codec, a time zone, or a traceback that reads its source would run the image's code in a process of
img. So each process that enters such a root, or its mount namespace, closes its interpreter first,
here and nowhere else, and works with what is in memory.
"""

import os
import socket
import sys
from typing import Any

from img.adapters.executor import reports
from img.adapters.executor.reports import Crashed

_EXIT_CODE = 127
# Events of Python's audit hooks (docs.python.org, "Audit events table") for reading code or data by
# a path of Python's own, or of the C library's.
_FORBIDDEN = frozenset(
    """
    import ctypes.dlopen marshal.load marshal.loads pickle.find_class os.system os.posix_spawn
    subprocess.Popen socket.getaddrinfo socket.gethostbyaddr socket.gethostbyname
    socket.getnameinfo
    """.split()  # noqa: SIM905 (a line each would hide that they are one list)
)

_FORMER: list[tuple[object, ...]] = []


def close_interpreter(channel: socket.socket) -> None:
    """End this process, with a report to ``channel``, if it imports or opens files from now on.

    os.open stays allowed: its callers name a file of the step deliberately. The built-in open of a
    path is forbidden, because Python's library opens its own files with it.
    """
    number = channel.fileno()  # the object may be closed, the descriptor stays

    def end_on(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, _ = arguments
            if mode is None or isinstance(path, int):
                return
        elif event not in _FORBIDDEN:
            return
        _end(number, event, arguments)

    # The modules stay in memory: freeing them would copy the pages that hold them, which takes
    # longer than the rest of a step's start in Python.
    _FORMER.append((sys.meta_path, sys.path_hooks, sys.path, sys.path_importer_cache))
    sys.meta_path, sys.path_hooks, sys.path, sys.path_importer_cache = [], [], [], {}
    sys.addaudithook(end_on)


def _end(channel: int, event: str, arguments: tuple[Any, ...]) -> None:
    try:
        what = f"{event} of {arguments[:1]!r:.200} in a foreign root"
        reports.send(socket.socket(fileno=channel), Crashed(what))
    finally:
        os._exit(_EXIT_CODE)
