"""Wiring of the clock, the terminal and the user's files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from img.entrypoints.lazy import lazy, lazy_imports
from img.entrypoints.wiring.injection import Wiring, attributes_of, providers, select
from img.entrypoints.wiring.setup import Setup

with lazy_imports(__name__):
    from img.adapters.clock.system import SystemClock
    from img.adapters.foreign_programs.binfmt import BinfmtPrograms
    from img.adapters.foreign_programs.recorded import RecordedPrograms
    from img.adapters.output_files.local import LocalOutputFiles
    from img.adapters.progress_sink.callback import CallbackProgress
    from img.adapters.progress_sink.plain import PlainProgress
    from img.adapters.progress_sink.rawjson import RawJsonProgress
    from img.adapters.progress_sink.silent import SilentProgress
    from img.adapters.progress_sink.terminal import TerminalProgress

if TYPE_CHECKING:
    from img.adapters.storage.ownership import Ownership
    from img.application.ports.foreign_programs import ForeignPrograms
    from img.application.ports.output_files import OutputFiles
    from img.application.ports.progress_sink import ProgressSink
    from img.domain.progress import Event


def _on_standard_error(display: Callable[[TextIO], ProgressSink]) -> ProgressSink:
    return display(sys.stderr)


def _without_display(on_event: Callable[[Event], None] | None) -> ProgressSink:
    return SilentProgress() if on_event is None else CallbackProgress(on_event)


def _output_files() -> OutputFiles:
    return LocalOutputFiles(sys.stdout.buffer)


def _ownership(setup: Setup) -> Ownership:
    return setup.host.ownership()


def _foreign_programs(setup: Setup) -> ForeignPrograms:
    if setup.recorder is None:
        return BinfmtPrograms(setup.settings.platform)
    return RecordedPrograms(setup.settings.platform, setup.recorder)


class System(Wiring):
    """The adapters that are not part of the state and do not run anything."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        given = attributes_of(setup)
        self.clock = providers.Singleton(SystemClock)
        self.ownership = providers.Singleton(_ownership, setup)
        self.progress: providers.Provider[ProgressSink] = select(
            given.progress,
            plain=providers.Singleton(lazy(_on_standard_error), PlainProgress),
            tty=providers.Singleton(lazy(_on_standard_error), TerminalProgress),
            quiet=providers.Singleton(lazy(_without_display), given.settings.on_event),
            rawjson=providers.Singleton(lazy(_on_standard_error), RawJsonProgress),
        )
        self.output_files = providers.Singleton(lazy(_output_files))
        self.foreign_programs = providers.Singleton(_foreign_programs, setup)
