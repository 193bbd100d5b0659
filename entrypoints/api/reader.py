"""Access to one image through an engine that starts with the first read."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from img.entrypoints.api.engine import Engine
from img.entrypoints.engine.protocol import Answer, End, Found, Opened, OpenImage, Request

_LAST = (Found, End, Opened)  # the answers after which nothing follows


class ImageReader:
    """The files and documents of an image. Threads may share it; a forked process gets its own.

    The engine ends with ``close``, with garbage collection and with the process.
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
            self._open()
            assert self._opened is not None
            return self._opened

    def ask(self, request: Request) -> Sequence[Answer]:
        """Return all answers to ``request``. Raises ImgError, EngineCrashed."""
        with self._turn:
            return _answers(self._open(), request)

    def close(self) -> None:
        """End the engine; the next read starts another. Idempotent."""
        with self._turn:
            if self._engine is not None and self._process == os.getpid():
                self._engine.close()
            self._engine = None

    def _open(self) -> Engine:
        if self._engine is not None and self._process == os.getpid() and self._engine.is_open:
            return self._engine
        engine = Engine()
        try:
            (opened,) = _answers(engine, self._wanted)
        except BaseException:
            engine.close()
            raise
        assert isinstance(opened, Opened)
        self._opened = opened
        # From now on the same image, even if its name moves.
        self._wanted = OpenImage(
            image=opened.image, platform=self._wanted.platform, state=opened.state
        )
        self._engine, self._process = engine, os.getpid()
        return engine


def _answers(engine: Engine, request: Request) -> list[Answer]:
    """Return the answers, the last one too. If the read is interrupted, the engine is closed."""
    found: list[Answer] = []
    try:
        for answer in engine.ask(request):
            found.append(answer)
            if isinstance(answer, _LAST):
                return found
    except Exception:
        raise  # the engine answered, so the next request is understood
    except BaseException:
        engine.close()
        raise
    raise AssertionError(f"no end of the answers to {type(request).__name__}")
