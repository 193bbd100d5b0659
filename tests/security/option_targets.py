"""Command lines, and the texts that options and files of settings hold, as targets."""

import contextlib
import functools
import io
import json
import os
import random
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import typer.main
import typer.utils
from dependency_injector import providers

from img.adapters.credential_store.memory import MemoryCredentials
from img.domain.reference import ImageReference
from img.entrypoints import logs, rootless
from img.entrypoints.cli import app
from img.entrypoints.rootless import BuildHost
from img.entrypoints.settings import Settings, host_platform
from img.entrypoints.wiring import root as wiring
from tests.security.command_lines import CommandLine, CommandLineMaker
from tests.security.dockerfile_target import AnyImage
from tests.security.fuzzing import CONTROLS, Target, shorter
from tests.security.hostile_texts import TextMaker
from tests.security.in_process import Beside, InProcess
from tests.security.text_readers import Reader, readers

_NAME = ImageReference.parse("registry.test/fuzzed:latest")
# Commands that write nothing but the state; others end where their options have been read.
_HARMLESS = frozenset(
    {
        *("ls", "rm", "tag", "inspect", "history", "du", "prune", "fsck", "image_prune"),
        *("system_prune", "builder_prune", "pull", "push", "tags", "catalog", "referrers"),
    }
)


_STARTS = ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen")


class _Read(BaseException):
    """All options have been read, and what would be done now is not."""


_RESET = (signal.SIGPIPE, signal.SIGXFSZ)  # by ``img unshare``, for the program


class _NoPrograms:
    """While it is entered, nothing starts a program: ``img unshare`` would start any."""

    entered = False

    def __init__(self) -> None:
        sys.addaudithook(self._heard)
        self._handlers = [signal.getsignal(number) for number in _RESET]

    def _heard(self, event: str, _: object) -> None:
        if self.entered and event in _STARTS:
            raise _Read

    def __enter__(self) -> None:
        self.entered = True

    def __exit__(self, *_: object) -> None:
        self.entered = False
        for number, handler in zip(_RESET, self._handlers, strict=True):
            signal.signal(number, handler)


# Typer derives the options of all commands from their functions for each command line, which
# takes more than half of the time of an input. A function's options are always the same.
_options_of = functools.lru_cache(512)(
    typer.main.get_params_convertors_ctx_param_name_from_function
)
_parameters_of = functools.lru_cache(512)(typer.utils.get_params_from_function)


def _copy_of_options_of(callback: Callable[..., Any] | None) -> tuple[Any, Any, str | None]:
    options, convertors, context = _options_of(callback)
    return [*options], {**convertors}, context  # typer adds to them


@dataclass(frozen=True)
class Text:
    """A text, and its reader."""

    reader: str
    content: str


class Texts(Target[Text]):
    """The readers of texts, each by itself."""

    name = "texts"

    def __init__(self, place: Path) -> None:
        self._place = place
        self._readers = readers(place)

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def make(self, rng: random.Random) -> Text:
        name = rng.choice(list(self._readers))
        text = TextMaker(rng, self._readers[name].samples).text()
        return Text(name, re.sub("[\ud800-\udc7f\udd00-\udfff]", "\udcff", text))  # as of bytes

    def take(self, given: Text) -> None:
        reader: Reader = self._readers[given.reader]
        with contextlib.suppress(*reader.refusals):
            reader.take(given.content)

    def broken(self) -> str:
        return ""

    def smaller(self, given: Text) -> Iterator[Text]:
        content = given.content.encode("utf-8", "surrogateescape")
        for text in shorter(content, b","):
            yield Text(given.reader, text.decode("utf-8", "surrogateescape"))

    def parse(self, content: bytes) -> Text:
        return Text(**json.loads(content))

    def render(self, given: Text) -> bytes:
        return json.dumps({"reader": given.reader, "content": given.content}).encode()


class CommandLines(Beside[CommandLine]):
    """Whole command lines in this process; commands that would write outside end before."""

    name = "command-lines"

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self._maker = CommandLineMaker()
        self._no_programs = _NoPrograms()
        self._home = os.getcwd()
        self._open()
        self._told = ""

    def _open(self) -> None:
        self.img = InProcess(self.place)
        parts = self.img.container
        parts.registries.registry.override(providers.Object(AnyImage()))
        parts.registries.contents.override(providers.Object(AnyImage()))
        parts.registries.credentials.override(providers.Object(MemoryCredentials()))
        parts.images.pull_image()(_NAME, host_platform())
        (self.img.context / "Dockerfile").write_text("FROM busybox AS a\nARG A=1\nRUN x\n")

    def close(self) -> None:
        self.img.close()

    def make(self, rng: random.Random) -> CommandLine:
        return self._maker.make(rng)

    def take(self, given: CommandLine) -> None:
        out, error = io.StringIO(), io.StringIO()
        self._told = ""
        os.chdir(self.img.context)
        try:
            with (
                self._no_programs,
                mock.patch.dict(os.environ, {**_SURROUNDINGS, **given.environment}),
                mock.patch.object(
                    typer.main,
                    "get_params_convertors_ctx_param_name_from_function",
                    _copy_of_options_of,
                ),
                mock.patch.object(typer.main, "get_params_from_function", _parameters_of),
                mock.patch.object(rootless, "enter_for_build", _stop),
                mock.patch.object(rootless, "enter_for_state", _outside),
                mock.patch.object(rootless, "sweep_secrets", _nothing),
                mock.patch.object(logs, "configure_logs", _nothing),
                mock.patch.object(wiring, "open_container", self._opened),
                mock.patch.object(self.img.container, "close", _nothing),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(error),
                mock.patch.object(sys, "stdin", io.StringIO()),
            ):
                code = _run(list(given.words))
        finally:
            os.chdir(self._home)
        silent = "_IMG_COMPLETE" in given.environment
        self._told = _wrong_output(0 if silent else code, out.getvalue(), error.getvalue())

    def _opened(self, settings: Settings, host: BuildHost) -> wiring.Container:
        """Return the container for the command that opens one, if it may go on."""
        command = sys._getframe(3).f_code.co_name  # this < open < contextlib's __enter__ <
        if command not in (*_HARMLESS, "build"):  # a build that asks only: see _stop
            raise _Read
        return self.img.container

    def broken(self) -> str:
        found = super().broken()
        self._reset()
        return self._told or found

    def _reset(self) -> None:
        names = self.img.container.storage.images().list()
        if [each.reference for each in names] == [_NAME]:
            return
        self.img.close()
        for directory in (self.img.state, self.img.context):
            shutil.rmtree(directory)
        self._open()

    def smaller(self, given: CommandLine) -> Iterator[CommandLine]:
        if given.environment:
            yield replace(given, environment={})
        for at in range(len(given.words)):
            yield replace(given, words=given.words[:at] + given.words[at + 1 :])

    def parse(self, content: bytes) -> CommandLine:
        kept = json.loads(content)
        return CommandLine(tuple(kept["words"]), kept["environment"])

    def render(self, given: CommandLine) -> bytes:
        kept = {"words": given.words, "environment": dict(given.environment)}
        return json.dumps(kept, indent=1).encode()


_SURROUNDINGS = {"HOME": "/dev/null", "DOCKER_CONFIG": "/dev/null"}


def _stop(*_: object) -> None:
    raise _Read


def _outside() -> BuildHost:
    return BuildHost(id_map=None)


def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""


def _run(words: list[str]) -> int | None:
    """Return the exit code, None where something would have been done."""
    try:
        return app.run(words)
    except _Read:
        return None
    except SystemExit as ended:  # click's completion ends so
        return ended.code if isinstance(ended.code, int) else 0


def _wrong_output(code: int | None, out: str, error: str) -> str:
    """Return the fault of the printed text, "" for none."""
    if found := CONTROLS.search(out) or CONTROLS.search(error):
        return f"printed {found[0]!r}"
    if code and not error.strip():
        return f"ended with {code} without a word"
    if "Traceback" in error:
        return "printed a traceback"
    return ""
