"""Workers that are started by a command: on this machine, or over ssh on another."""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress

from distributed.deploy.spec import ProcessInterface

_END_S = 15.0
_MOST_LINE = 1000  # characters


class CommandWorker(ProcessInterface):
    """A process that gets certificates as its standard input, and ends when that input ends."""

    def __init__(self, scheduler: str, *, name: str, command: Sequence[str], given: bytes) -> None:
        super().__init__(scheduler, name)
        self.name = name
        self._command = [each.replace("{scheduler}", scheduler) for each in command]
        self._given = given
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.failure: Exception | None = None  # why the process could not be started
        self.last_words = ""  # the last line of its standard error

    async def start(self) -> None:
        """Start the process, without waiting for the worker."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=PIPE,
                start_new_session=True,
                cwd=os.sep,
            )
        except OSError as error:
            self.failure = error
        else:
            assert self._process.stdin is not None and self._process.stderr is not None
            self._reading = asyncio.ensure_future(self._read(self._process.stderr))
            self._process.stdin.write(self._given)
            with suppress(ConnectionError):  # it has failed already
                await self._process.stdin.drain()
        await super().start()

    async def _read(self, errors: asyncio.StreamReader) -> None:
        rest = b""
        while piece := await errors.read(_MOST_LINE):
            *lines, rest = (rest + piece)[-2 * _MOST_LINE :].split(b"\n")
            for line in (*lines, rest):
                if words := line.strip():
                    self.last_words = words.decode(errors="replace").removeprefix("Error: ")

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process once its errors are read, None before."""
        if self._process is None or self._reading is None or not self._reading.done():
            return None
        return self._process.returncode

    async def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.returncode is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                await asyncio.wait_for(self._process.wait(), _END_S)
            except TimeoutError:
                with suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
        if self._reading is not None:
            self._reading.cancel()
        await super().close()
