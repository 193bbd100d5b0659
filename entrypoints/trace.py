"""Builds that are repeated while nothing has changed: the output of the last one is printed.

This happens before most modules are imported (docs/adr/0051-traces-of-builds.md).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from img import __version__
from img.adapters.storage.trace_questions import (
    CONFINEMENT,
    IDENTITY,
    LINES,
    TARGET,
    TEXT,
    USER,
    ask,
    is_settled,
)
from img.domain.errors import ImgError
from img.entrypoints import light_imports
from img.entrypoints.default_state import default_state

with light_imports.without({"inspect": ()}):  # it takes longer than all of this module
    import dataclasses  # noqa: F401

if TYPE_CHECKING:
    from img.adapters.build_context.context_walk import Walk
    from img.adapters.linux.waiting_file import WaitingFile
    from img.adapters.storage.trace_questions import Answer, Question

_FORMAT = 1
# No other options leave a trace: their effects are not only the image and the output.
_FLAGS = frozenset({"-q", "--quiet", "--no-console"})
_VALUED = frozenset(
    {
        *("-t", "--tag", "-f", "--file", "--build-arg", "--label", "--target"),
        *("--progress", "-s", "--state", "-b", "--backend"),
    }
)
# What decides whether this process may make namespaces, and with which ids.
_HOST_TEXTS = (
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "/proc/sys/user/max_user_namespaces",
    "/proc/sys/user/max_mnt_namespaces",
    "/proc/self/attr/current",
    "/proc/self/uid_map",
    "/proc/self/gid_map",
    "/proc/self/setgroups",
)
_HOST_PROGRAMS = ("newuidmap", "newgidmap", "getsubids", "fuse-overlayfs")
_USUAL_PATH = ("/usr/bin", "/bin", "/usr/local/bin")


class CommandLine:
    """A command line that may leave a trace, and the answers to questions about its process."""

    def __init__(self, words: Sequence[str], state: str) -> None:
        self.began = time.time_ns()
        self.state = state
        self.facts = [(question, ask(question)) for question in _host_questions(state)]
        self.key = _key(words)
        self.walks: dict[tuple[str, tuple[str, ...]], tuple[Walk, int]] = {}
        self._files: Mapping[int, WaitingFile] = {}

    @property
    def database(self) -> str:
        """The path of the state's database."""
        return f"{self.state}/state.db"

    def walk(self, question: Question) -> Answer:
        """Return the fingerprint of a directory; the walk is kept for a build that follows."""
        from img.adapters.build_context.context_walk import walk

        _, root, patterns = question
        ignore = None
        if patterns:
            from img.domain.dockerfile.ignore import IgnoreMatcher

            ignore = IgnoreMatcher(tuple(patterns))
        at = time.time_ns()
        try:
            seen = walk(root, ignore)
        except (ImgError, OSError):
            return None
        self.walks[root, tuple(patterns)] = (seen, at)
        return seen.fingerprint()

    def keep_output(self, files: Mapping[int, WaitingFile], most: int) -> None:
        """Keep what is written to ``files`` from now on, by descriptor, up to ``most`` bytes."""
        self._files = files
        for file in files.values():
            file.keep(most)

    def give_up(self) -> None:
        """Keep no more of the output: there will be no trace."""
        for file in self._files.values():
            file.kept = None

    def store(self, asked: Sequence[tuple[Question, Answer]]) -> None:
        """Store the trace of the build that has just ended with the output that was kept."""
        from img.adapters.storage import build_traces

        program = [(question, ask(question)) for question in _program_questions()]
        if not all(is_settled(*each, self.began) for each in program):
            return
        output = []
        for number, file in self._files.items():
            if file.kept is None:  # more than a trace holds
                return
            output.append((number, _without_durations(bytes(file.kept))))
        build_traces.store(self.database, self.key, [*self.facts, *program, *asked], output)


current: CommandLine | None = None
"""The command line of this process, None if it leaves no trace."""


def repeat(words: Sequence[str]) -> bool:
    """Print the output of the last build by ``words`` if nothing has changed since then.

    Return whether that was so. Otherwise set ``current``, so that the build leaves a trace.
    """
    global current  # noqa: PLW0603
    given = options_of(words)
    if given is None:
        return False
    from img.adapters.storage import build_traces, left_secrets
    from img.adapters.storage.state_directory import StateAccess, open_state, trusts_everyone

    with suppress(ImgError, OSError):
        # Another spelling than that of the build (wiring/tracing.py) only leaves no trace.
        state = os.path.join(os.getcwd(), given.get("-s") or default_state(os.environ))
        if open_state(state, trusted=trusts_everyone(os.environ)) is not StateAccess.OWN:
            return False
        left_secrets.sweep()
        line = CommandLine(words, state)
        output = build_traces.repeated(line.database, line.key, line.facts, line.walk)
        if output is not None:
            for number, written in output:
                stream = sys.stdout if number == 1 else sys.stderr
                stream.buffer.write(written)  # text would get the encoding of this process
                stream.flush()
            return True
        files = {1: _raw(sys.stdout), 2: _raw(sys.stderr)}
        line.keep_output(files, build_traces.LARGEST)
        current = line
    return False


def options_of(words: Sequence[str]) -> Mapping[str, str] | None:
    """Return the last value of each option, None for a command line that leaves no trace."""
    values: dict[str, str] = {}
    command = ""
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word[:1] != "-":
            command = command or word
            continue
        if name in _FLAGS:
            continue
        is_long = name[:2] == "--"
        if name not in _VALUED or (equals and not is_long):  # -s=x is the value "=x"
            return None
        if not equals:
            value = next(rest, "")
        values["-s" if name == "--state" else name] = value
    return values if command == "build" else None


def _key(words: Sequence[str]) -> str:
    """Return a digest of what this process was given: it may hold secrets, so is not stored."""
    import hashlib

    given = (
        (_FORMAT, __version__, sys.version, sys.executable, tuple(sys.flags), sys.path),
        (list(words), os.getcwd(), sorted(os.environb.items())),
        (os.getresuid(), os.getresgid(), os.getgroups()),
        (tuple(os.uname()), [os.isatty(number) for number in (0, 1, 2)]),
    )
    return hashlib.sha256(repr(given).encode("utf-8", "surrogateescape")).hexdigest()


def _host_questions(state: str) -> Sequence[Question]:
    from img.entrypoints.settings_files import settings_files

    user = [USER, os.geteuid()]
    name, *_ = ask(user) or [str(os.geteuid())]
    directories = [*os.environ.get("PATH", "").split(os.pathsep), *_USUAL_PATH]
    return [
        *([TEXT, path] for path in _HOST_TEXTS),
        [TARGET, "/etc/nsswitch.conf"],
        user,
        *([LINES, path, name, str(os.geteuid())] for path in ("/etc/subuid", "/etc/subgid")),
        *(
            [TARGET, os.path.join(directory, program)]
            for directory in dict.fromkeys(directories)
            for program in _HOST_PROGRAMS
        ),
        [CONFINEMENT, "/proc/self/status"],
        *([IDENTITY, path] for path in ("/", state)),
        # Their policies may forbid what the last build did.
        *([TARGET, path] for path in settings_files(os.environ)),
    ]


def _program_questions() -> Sequence[Question]:
    """Return questions about the files of this program and its interpreter, and its settings."""
    from img.domain.docker_config import docker_config_place

    modules = [getattr(module, "__file__", None) for module in [*sys.modules.values()]]
    proxies = docker_config_place(os.environ)
    files = dict.fromkeys([sys.executable, *filter(None, modules), *sys.path, proxies])
    return [[TARGET, file] for file in files if file]


def _without_durations(output: bytes) -> bytes:
    import re

    durations = rb"(?m)^(#\d+ DONE |Steps: \d+ cached, \d+ run, in )\d+\.\d+s(?=$|;)"
    return re.sub(durations, rb"\g<1>0.0s", output)


def _raw(stream: Any) -> WaitingFile:
    """Return the WaitingFile below ``stream`` (start.py)."""
    file: WaitingFile = stream.buffer.raw
    return file
