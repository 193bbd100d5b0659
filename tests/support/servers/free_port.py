"""Ports for servers that cannot ask the kernel for one."""

import random
import socket
from pathlib import Path

_LEAST = 10_000
_ENOUGH = 1_000


def free_port() -> int:
    """Return a port that nothing uses, and that the kernel does not give to sockets without one.

    So another test can take it until its server listens only by choosing the same one.
    """
    dynamic = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    end = int(dynamic.split()[0])
    if end < _LEAST + _ENOUGH:  # this machine gives out almost all ports
        end = 1 << 16
    while True:
        port = random.SystemRandom().randrange(_LEAST, end)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
