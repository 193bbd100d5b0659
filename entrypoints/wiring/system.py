"""Wiring of the clock, the terminal and the user's files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from img.entrypoints.lazy import lazy, lazy_imports
from img.entrypoints.wiring.injection import Wiring, attributes_of, providers, select
from img.entrypoints.wiring.setup import Setup

with lazy_imports(__name__):
    from img.adapters.build_history.files import FileBuildHistory
    from img.adapters.build_history.memory import MemoryBuildHistory
    from img.adapters.clock.system import SystemClock
    from img.adapters.foreign_programs.binfmt import BinfmtPrograms
    from img.adapters.foreign_programs.recorded import RecordedPrograms
    from img.adapters.output_files.local import LocalOutputFiles
    from img.adapters.progress_sink.build_facts import BuildFacts
    from img.adapters.progress_sink.callback import CallbackProgress
    from img.adapters.progress_sink.ci_sections import CiSections
    from img.adapters.progress_sink.otlp import export, prepare
    from img.adapters.progress_sink.plain import PlainProgress
    from img.adapters.progress_sink.rawjson import RawJsonProgress
    from img.adapters.progress_sink.several import SeveralSinks
    from img.adapters.progress_sink.silent import SilentProgress
    from img.adapters.progress_sink.spans import SpanProgress
    from img.adapters.progress_sink.terminal import TerminalProgress
    from img.adapters.terminal.local import LocalTerminal
    from img.application.history.recorder import BuildRecorder
    from img.application.usecases.usual_times import UsualTimes
    from img.domain.history.limits import KeepRecords

if TYPE_CHECKING:
    from img.adapters.storage.ownership import Ownership
    from img.application.ports.build_history import BuildHistory
    from img.application.ports.clock import Clock
    from img.application.ports.foreign_programs import ForeignPrograms
    from img.application.ports.output_files import OutputFiles
    from img.application.ports.progress_sink import ProgressSink
    from img.domain.progress import Event


def _on_standard_error(display: Callable[[TextIO], ProgressSink]) -> ProgressSink:
    return display(sys.stderr)


def _plain(ci: str) -> ProgressSink:
    if not ci:
        return PlainProgress(sys.stderr)
    from img.domain.ci_log import CiSystem  # few builds run there

    workspace = os.path.realpath(os.environ.get("GITHUB_WORKSPACE") or ".")
    return PlainProgress(sys.stderr, sections=CiSections(CiSystem(ci), workspace))


def _terminal(setup: Setup, history: BuildHistory) -> ProgressSink:
    if not setup.settings.history:
        return TerminalProgress(sys.stderr)
    return TerminalProgress(sys.stderr, usual=UsualTimes(history))


def _without_display(on_event: Callable[[Event], None] | None) -> ProgressSink:
    return SilentProgress() if on_event is None else CallbackProgress(on_event)


def _traces(command: str) -> SpanProgress:
    from img import __version__

    attributes = {"img.version": __version__}
    return SpanProgress(command, attributes, os.environ, export=export, prepare=prepare)


def _progress(display: ProgressSink, also: Sequence[ProgressSink]) -> ProgressSink:
    """Return the sink of a run: its display, and others that take the same events."""
    return SeveralSinks([display, *also]) if also else display


def _recorder(setup: Setup, history: BuildHistory, clock: Clock) -> BuildRecorder:
    return BuildRecorder(history, clock, setup.settings.history or KeepRecords())


def _output_files() -> OutputFiles:
    return LocalOutputFiles(sys.stdout.buffer)


def _ownership(setup: Setup) -> Ownership:
    return setup.host.ownership()


def _foreign_programs(setup: Setup) -> ForeignPrograms:
    if setup.recorder is None:
        return BinfmtPrograms(setup.settings.platform)
    return RecordedPrograms(setup.settings.platform, setup.recorder)


class System(Wiring):
    """The adapters that are not part of the state and do not run anything; and the history."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        given = attributes_of(setup)
        self.clock = providers.Singleton(SystemClock)
        self.ownership = providers.Singleton(_ownership, setup)
        self.history: providers.Provider[BuildHistory] = select(
            given.records,
            state=providers.Singleton(FileBuildHistory, given.settings.state),
            memory=providers.Singleton(MemoryBuildHistory),
        )
        self.recorder = providers.Singleton(lazy(_recorder), setup, self.history, self.clock)
        self.display: providers.Provider[ProgressSink] = select(
            given.progress,
            plain=providers.Singleton(lazy(_plain), given.settings.ci),
            tty=providers.Singleton(lazy(_terminal), setup, self.history),
            quiet=providers.Singleton(lazy(_without_display), given.settings.on_event),
            rawjson=providers.Singleton(lazy(_on_standard_error), RawJsonProgress),
        )
        self.traces = providers.Singleton(_traces, given.settings.command)
        self.facts = providers.Singleton(BuildFacts)
        also: list[providers.Provider[Any]] = []
        if setup.settings.traced:
            also.append(self.traces)
        if setup.settings.history:
            also.append(self.recorder)
        if setup.settings.keeps_facts:
            also.append(self.facts)
        self.progress: providers.Provider[ProgressSink] = providers.Singleton(
            _progress, self.display, providers.List(*also)
        )
        self.output_files = providers.Singleton(lazy(_output_files))
        self.terminal = providers.Singleton(LocalTerminal)
        self.foreign_programs = providers.Singleton(_foreign_programs, setup)
