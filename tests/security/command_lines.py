"""Command lines that img might be given: its own commands and options, with good and odd words."""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer

from img.domain.options.foreign import OF_BUILD
from img.entrypoints.cli.app import command_line
from tests.security.hostile_texts import ODD, TextMaker

_NAMES = (
    *(
        "registry.test/fuzzed",
        "fuzzed:latest",
        "registry.test/fuzzed:latest",
        "busybox",
        "a",
        "a/b:c",
    ),
    *(
        "sha256:" + "0" * 64,
        "abcd",
        "*",
        "reg*/?uzz[a-z]*",
        "a@sha256:" + "1" * 64,
        "A",
        "localhost:1/x",
    ),
)
_VALUES: Mapping[str, tuple[str, ...]] = {
    "--build-arg": ("A=1", "A", "A=", "=x"),
    "--label": ("a=b", "a"),
    "--secret": ("id=a,src=b", "id=a,env=B", "id=a,type=env"),
    "--ssh": ("default", "a=/s,/k", "a=/s,raw=true"),
    "--build-context": ("a=b", "a=docker-image://x", "a=oci-layout://x:y"),
    "--add-host": ("a:1.2.3.4", "a=::1"),
    "--network": ("host", "none", "private"),
    "--shm-size": ("64m", "1g"),
    "--ulimit": ("nofile=1:2", "core=-1"),
    "--memory": ("1g", "6m"),
    "--memory-swap": ("2g", "-1"),
    "--cpus": ("1.5", "2"),
    "--resource": ("memory=1g", "cpu-shares=5"),
    "--cpuset-cpus": ("0-3", "1,2"),
    "--cache-from": ("type=registry,ref=a", "type=local,src=x", "a/b"),
    "--cache-to": ("type=local,dest=x,mode=max", "inline", "type=registry,ref=a"),
    "--output": ("type=local,dest=x", "type=oci,dest=x.tar", "-", "x", "type=image,name=a,push=1"),
    "--platform": ("linux/amd64,linux/arm64", "local", "linux/arm/v7"),
    "--allow": ("userns", "network.host", "buildx.local.delete"),
    "--annotation": ("a=b", "index:a=b", "manifest[linux/amd64]:a=b"),
    "--call": ("check", "outline,format=json", "targets", "subrequests.describe"),
    "--pull": ("always", "never", "true"),
    "--progress": ("plain", "rawjson", "quiet", "tty"),
    "--filter": (
        "reference=f*",
        "until=1h",
        "type=regular",
        "label=a=b",
        "dangling=true",
        "before=a",
    ),
    "--format": ("json", "table {{.ID}}\\t{{.Tag}}", "{{json .}}", "{{.Config.Env}}", "{{.Size}}"),
    "--keep-storage": ("1GB", "0"),
    "--keep-duration": ("24h",),
    "--tag": _NAMES,
}
_ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "IMG_STATE": ("state", "/dev/null/x", ""),
    "IMG_HISTORY": ("0", "5", "x"),
    "IMG_MAX_CACHE": ("10GB", "0", "x"),
    "IMG_EXECUTOR": ("auto", "runc", "scripted", "x"),
    "IMG_STORE": ("files", "oci-layout", "memory"),
    "BUILDKIT_PROGRESS": ("plain", "tty", "x"),
    "SOURCE_DATE_EPOCH": ("0", "context", "x"),
    "COLUMNS": ("80", "0", "x"),
    "TERM": ("dumb", "xterm"),
    "XDG_DATA_HOME": ("/dev/null", "a:b", ""),
    "HOME": ("/dev/null", "", "a"),
    "B": ("1",),
}
_COMPLETIONS = ("complete_bash", "complete_zsh", "complete_fish", "source_bash", "x")


@dataclass(frozen=True)
class CommandLine:
    """Words behind ``img``, and what is different in the environment."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Command:
    path: tuple[str, ...]
    valued: tuple[tuple[str, ...], ...]  # all spellings of each option
    switches: tuple[str, ...]


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[_Command]:
    options = [
        each
        for each in command.params
        if each.param_type_name == "option" and each.name != "install_completion"  # writes at home
    ]
    valued = tuple(tuple(each.opts) for each in options if not each.is_flag)
    switches = tuple(
        o for each in options if each.is_flag for o in (*each.opts, *each.secondary_opts)
    )
    yield _Command(path, valued, switches)
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, (*path, name))


class CommandLineMaker:
    """A generator of command lines, which depend only on the random generator."""

    def __init__(self) -> None:
        self._commands = list(_commands(typer.main.get_command(command_line())))
        self._build = next(each for each in self._commands if each.path == ("build",))
        self._foreign = sorted(OF_BUILD)

    def make(self, rng: random.Random) -> CommandLine:
        """Return a command line."""
        oddness = rng.choice((0.0, 0.0, 0.05, 0.1, 0.4))
        command = self._build if rng.random() < 0.4 else rng.choice(self._commands)
        words = [*command.path]
        for _ in range(rng.choice((0, 1, 1, 2, 3, 5, 8))):
            words += self._option(rng, command, oddness)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3))):
            place = rng.randrange(len(command.path), len(words) + 1)
            word = rng.choice((".", *_NAMES[:3])) if command is self._build else rng.choice(_NAMES)
            words.insert(
                place if rng.random() < 0.3 else len(words), self._word(rng, word, oddness)
            )
        if rng.random() < oddness:
            words.insert(rng.randrange(len(words) + 1), rng.choice(ODD))
        if rng.random() < 0.03:
            words += [rng.choice(("-h", "--help", "--version", "--", "-", "-v"))]
        return CommandLine(tuple(words), self._environment(rng, words, oddness))

    def _word(self, rng: random.Random, word: str, oddness: float) -> str:
        if rng.random() >= oddness:
            return word
        return rng.choice(ODD) if rng.random() < 0.5 else TextMaker(rng, (word, "a")).text()

    def _option(self, rng: random.Random, command: _Command, oddness: float) -> list[str]:
        if command is self._build and rng.random() < 0.15:
            name = rng.choice(self._foreign)
            value = self._word(rng, rng.choice(("true", "false", "default", "x", "0")), oddness)
            return rng.choice(([name], [f"{name}={value}"], [name, value]))
        if command.switches and (not command.valued or rng.random() < 0.3):
            name = rng.choice(command.switches)
            end = rng.choice(("", "", "=true", "=false", "=x")) if oddness else ""
            return [name + end]
        if not command.valued:
            return []
        spellings = rng.choice(command.valued)
        known = next(
            (_VALUES[name] for name in spellings if name in _VALUES), ("x", "1", "a=b", "")
        )
        name, value = rng.choice(spellings), self._word(rng, rng.choice(known), oddness)
        if name.startswith("--"):
            return rng.choice(([name, value], [f"{name}={value}"]))
        return rng.choice(([name, value], [name + value]))

    def _environment(
        self, rng: random.Random, words: list[str], oddness: float
    ) -> Mapping[str, str]:
        made = {}
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            name = rng.choice(list(_ENVIRONMENT))
            value = self._word(rng, rng.choice(_ENVIRONMENT[name]), oddness)
            made[name] = value
        if rng.random() < 0.03:
            made["_IMG_COMPLETE"] = rng.choice(_COMPLETIONS)
            made["COMP_WORDS"] = " ".join(["img", *words])
            made["COMP_CWORD"] = rng.choice(("1", "2", "5", "x", "-1"))
            made["_TYPER_COMPLETE_ARGS"] = made["COMP_WORDS"]
        return {name: re.sub("[\0\ud800-\udc7f\udd00-\udfff]", "", made[name]) for name in made}
