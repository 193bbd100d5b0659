"""A Unix socket that forwards connections to another one.

The agent's own socket only accepts its owner, and has a fixed owner and mode; a RUN step may run as
another user and needs a socket with that owner.
"""

import os
import selectors
import socket
import tempfile
import threading
from types import TracebackType

from img.adapters.storage.ownership import REAL, Ownership

_CHUNK = 1 << 16


class AgentSocket:
    """Listens in a separate directory while entered, and forwards every connection."""

    def __init__(
        self, upstream: str, *, mode: int, uid: int, gid: int, ownership: Ownership = REAL
    ) -> None:
        self._ownership = ownership
        self._upstream = upstream
        self._mode = mode
        self._owner = (uid, gid)

    def __enter__(self) -> str:
        """Return the path of the socket."""
        # Not in the state: the path of a socket has at most 107 bytes (unix(7)).
        self._directory = tempfile.TemporaryDirectory(prefix="img-ssh-")
        path = f"{self._directory.name}/agent"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._ownership.give(path, *self._owner)
        os.chmod(path, self._mode)
        self._listener.listen()
        self._wake, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="ssh agent", daemon=True)
        self._thread.start()
        return path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wake.close()
        self._thread.join()
        self._ended.close()
        self._listener.close()
        self._directory.cleanup()

    def _serve(self) -> None:
        peers: dict[socket.socket, socket.socket] = {}
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._ended, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    ready = key.fileobj
                    assert isinstance(ready, socket.socket)
                    if ready is self._ended:
                        for one in peers:
                            one.close()
                        return
                    if ready is self._listener:
                        self._accept(selector, peers)
                    elif ready in peers:
                        self._pass_on(ready, selector, peers)

    def _accept(
        self, selector: selectors.BaseSelector, peers: dict[socket.socket, socket.socket]
    ) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self._upstream)
        except OSError:
            client.close()
            server.close()
            return
        for one, other in ((client, server), (server, client)):
            peers[one] = other
            selector.register(one, selectors.EVENT_READ)

    def _pass_on(
        self,
        source: socket.socket,
        selector: selectors.BaseSelector,
        peers: dict[socket.socket, socket.socket],
    ) -> None:
        target = peers[source]
        try:
            data = source.recv(_CHUNK)
            if data:
                target.sendall(data)
                return
        except OSError:
            pass  # one end is gone: both are closed below
        for one in (source, target):
            selector.unregister(one)
            peers.pop(one)
            one.close()
