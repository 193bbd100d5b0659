"""Servers that run in a thread of the test."""

import threading
from socketserver import BaseServer
from types import TracebackType
from typing import Self


class InThread:
    """A context manager that serves while it is entered; subclasses set ``_server``."""

    _server: BaseServer

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
