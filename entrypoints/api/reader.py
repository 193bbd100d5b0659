"""Access to one image through an engine that starts with the first read."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from img.entrypoints.api.engine import Engine
from img.entrypoints.engine.protocol import Answer, Opened, OpenImage, Request


class ImageReader:
    """The files and documents of an image. Threads may share it; a forked process gets its own.

    The documents are read once, by an engine that ends then. That for files stays until ``close``,
    garbage collection or the end of the process.
    """

    def __init__(self, wanted: OpenImage) -> None:
        self._wanted = wanted
        self._turn = threading.Lock()
        self._engine: Engine | None = None
        self._opened: Opened | None = None
        self._process = 0

    @property
    def opened(self) -> Opened:
        """The documents of the image. Raises ImgError, EngineCrashed."""
        with self._turn:
            if self._opened is not None:
                return self._opened
            with Engine() as engine:
                return self._open(engine)

    def ask(self, request: Request) -> Sequence[Answer]:
        """Return all answers to ``request``. Raises ImgError, EngineCrashed."""
        with self._turn:
            return self._running().ask(request)

    def close(self) -> None:
        """End the engine; the next read of a file starts another. Idempotent."""
        with self._turn:
            self._end()

    def _running(self) -> Engine:
        engine = self._engine
        if engine is not None and self._process == os.getpid() and engine.is_open:
            return engine
        self._end()
        engine = Engine()
        try:
            self._open(engine)
        except BaseException:
            engine.abandon()
            raise
        self._engine, self._process = engine, os.getpid()
        return engine

    def _open(self, engine: Engine) -> Opened:
        (opened,) = engine.ask(self._wanted)
        assert isinstance(opened, Opened)
        self._opened = opened
        # From now on the same image, even if its name moves.
        self._wanted = OpenImage(
            image=opened.image, platform=self._wanted.platform, state=opened.state
        )
        return opened

    def _end(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None and self._process == os.getpid():
            engine.close()
