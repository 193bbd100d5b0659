"""Emulated capabilities of processes that have none: under PRoot (capget(2)).

Programs such as setcap(8) check for the capability that they need before they use it.
"""

import errno
import os
import struct
from collections.abc import Callable, Mapping

from img.adapters.linux import capabilities, process_memory
from img.adapters.syscall_supervisor.listener import Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply
from img.adapters.syscall_supervisor.root.identities import Identities

CALLS = ("capget", "capset")
_HEADER = struct.Struct("Ii")  # version, pid
_DATA = struct.Struct("3I")  # effective, permitted, inheritable; one set for each 32 capabilities
_TIMES = {0x1998_0330: 1, 0x2007_1026: 2, 0x2008_0522: 2}  # by version
_WORD = 0xFFFF_FFFF
# PRoot only has the host's network, in which steps have none of the network capabilities.
_OF_ROOT = capabilities.DOCKER_DEFAULT & ~capabilities.mask_of("net_raw")


class ProcessCapabilityCalls:
    """Reports Docker's default capabilities for root, and none for other users.

    Dropped capabilities stay dropped.
    """

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    def handlers(self) -> Mapping[str, Callable[[Notification], Answer]]:
        """Return the handler of each call."""
        return {"capget": self._get, "capset": self._set}

    def _get(self, call: Notification) -> Answer:
        times = self._times(call)
        if not times:
            return Reply.LET_PASS
        held = self._held(call)
        words = (held >> 32 * place & _WORD for place in range(times))
        content = b"".join(_DATA.pack(word, word, 0) for word in words)
        process_memory.write(call.pid, call.arguments[1], content)
        return 0

    def _set(self, call: Notification) -> Answer:
        times = self._times(call)
        if not times:
            return Reply.LET_PASS
        content = process_memory.read(call.pid, call.arguments[1], times * _DATA.size)
        held, wanted = self._held(call), 0
        for place, sets in enumerate(_DATA.iter_unpack(content)):
            wanted |= (sets[0] | sets[1] | sets[2]) << 32 * place
        if wanted & ~held:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return 0

    def _times(self, call: Notification) -> int:
        """Return the number of structures; 0 if the kernel should answer."""
        header, data = call.arguments[:2]
        version, pid = _HEADER.unpack(process_memory.read(call.pid, header, _HEADER.size))
        return _TIMES.get(version, 0) if data and pid in (0, call.pid) else 0

    def _held(self, call: Notification) -> int:
        return _OF_ROOT if self._identities.of(call.pid).privileged else 0
