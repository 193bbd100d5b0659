"""Options of the API beside those of the command line."""

from pathlib import Path
from typing import Any

import pytest
import typer

from img.domain.errors import UsageError
from img.entrypoints.api import options
from img.entrypoints.api.options import BuildOptions, command
from img.entrypoints.cli.app import command_line

KINDS: dict[str, type] = {
    "build": options.BuildOptions,
    "bake": options.BakeOptions,
    "lock": options.LockOptions,
    "pull": options.PullOptions,
    "push": options.PushOptions,
    "save": options.SaveOptions,
    "load": options.LoadOptions,
    "ls": options.ImagesOptions,
}
# Options of the command line that are about the terminal: what they print, results have.
PRINTED = {
    *("--progress", "--quiet", "--no-console", "--check", "--call", "--print", "--list"),
    *("--format", "--digests", "--no-trunc", "--all"),
}
# Those that are arguments of the functions.
ARGUMENTS = {"build": {"--file"}, "lock": {"--file"}, "save": {"--output"}, "load": {"--input"}}
NOT_PRINTED = {"save": {"--format"}, "lock": {"--check"}}


@pytest.mark.parametrize("name", KINDS)
def test_the_api_has_the_options_of_the_command_line(name: str) -> None:
    group: Any = typer.main.get_command(command_line([name]))
    theirs = {
        max(each.opts, key=len)
        for each in group.commands[name].params
        if each.param_type_name == "option" and not each.hidden and not each.is_eager
    }
    printed = PRINTED - NOT_PRINTED.get(name, set())

    ours = {f"--{option.replace('_', '-')}" for option in KINDS[name].__annotations__}

    assert ours == theirs - printed - ARGUMENTS.get(name, set())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tag": "a"}, ["--tag=a"]),
        ({"tag": ["a", "-b"]}, ["--tag=a", "--tag=-b"]),
        ({"tag": ()}, []),
        ({"target": None}, []),
        ({"target": ""}, ["--target="]),
        ({"build_arg": {"A": "x=y\n", "B": None}}, ["--build-arg=A=x=y\n", "--build-arg=B"]),
        ({"build_arg": ["A=1"]}, ["--build-arg=A=1"]),
        ({"no_cache": True}, ["--no-cache=true"]),
        ({"tls_verify": False}, ["--tls-verify=false"]),
        ({"cpus": 1.5}, ["--cpus=1.5"]),
        ({"state": Path("/s")}, ["--state=/s"]),
        ({"output": [Path("out"), "type=image"]}, ["--output=out", "--output=type=image"]),
    ],
)
def test_values_become_words_that_cannot_be_options(given: Any, words: list[str]) -> None:
    assert command("build", BuildOptions, given, ["-C"]) == ("build", *words, "--", "-C")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"tags": "a"}, TypeError),
        ({"tag": b"a"}, TypeError),
        ({"tag": [b"a"]}, TypeError),
        ({"tag": 1 + 2j}, TypeError),
        ({"label": {"a=b": "c"}}, UsageError),
        ({"label": {1: "c"}}, UsageError),
        ({"state": Path("/s"), "progress": "plain"}, TypeError),
    ],
)
def test_unknown_options_and_types_are_refused(given: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        command("build", BuildOptions, given)
