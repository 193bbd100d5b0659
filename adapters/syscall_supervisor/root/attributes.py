"""Extended attributes as a step sees them: without the records of owners (listxattr(2)).

Programs that list attributes copy them (``cp -a``, ``tar --xattrs``), also into archives in the
image.
"""

import errno
import os
from collections.abc import Callable, Mapping
from functools import partial

from img.adapters.linux import process_memory
from img.adapters.linux.syscalls import AT_FDCWD
from img.adapters.storage import owner_records
from img.adapters.storage.owner_records import CAPABILITY, CAPABILITY_KEPT
from img.adapters.syscall_supervisor.listener import Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.paths import Paths

_SHOWN_AS = {CAPABILITY_KEPT: CAPABILITY}
LISTING = ("listxattr", "llistxattr", "flistxattr")


class AttributeCalls:
    """Handlers for lists of names. The kernel answers for files without a record, almost all."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def handlers(self) -> Mapping[str, Callable[[Notification], Answer]]:
        """Return the handler of each call."""
        return {name: partial(self._list, name) for name in LISTING}

    def _list(self, name: str, call: Notification) -> Answer:
        buffer, size = call.arguments[1:3]
        where, follow = target_of(self._paths, call, name)
        is_record = partial(owner_records.is_record, where, follow=follow)
        names = owner_records.names_on(where, follow=follow)
        shown = [_SHOWN_AS.get(each, each) for each in names if not is_record(each)]
        if shown == names:
            return Reply.LET_PASS
        return write_result(
            call, b"".join(os.fsencode(each) + b"\0" for each in shown), buffer, size
        )


def target_of(paths: Paths, call: Notification, name: str) -> tuple[bytes, bool]:
    """Return the file that the call ``name`` is about, and whether links to it are followed."""
    first = call.arguments[0]
    if name in ("fgetxattr", "flistxattr"):
        return paths.find(call, first, b""), True
    follow = name not in ("lgetxattr", "llistxattr")
    text = process_memory.read_text(call.pid, first)
    return paths.find(call, AT_FDCWD, text, follow=follow), follow


def write_result(call: Notification, content: bytes, buffer: int, size: int) -> Answer:
    """Write ``content`` to the caller's buffer, unless ``size`` is 0; return its length.

    Raises OSError if the buffer is too small.
    """
    if size:
        if len(content) > size:
            raise OSError(errno.ERANGE, os.strerror(errno.ERANGE))
        process_memory.write(call.pid, buffer, content)
    return len(content)
