"""The blocks of code in the documents can be parsed, and name what exists.

``tests/e2e/test_documents.py`` runs the commands.
"""

import ast
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.domain.bake.language.body import parse_hcl
from img.domain.bake.language.tokens import decode_source
from img.domain.dockerfile.interpret import interpret
from img.entrypoints.cli.app import command_line
from img.entrypoints.cli.commands import modern_spelling
from tests.support.documents import (
    DOCUMENTS,
    PROGRAMS,
    Block,
    all_blocks,
    blocks_of,
    inline_commands,
)
from tests.support.host.machine import REPOSITORY

BLOCKS = all_blocks()
_IMG: Any = typer.main.get_command(command_line())
_OPERATOR = re.compile(r"[|&;()<>]+")
_PLACES = tuple(f"{path.name}/" for path in REPOSITORY.iterdir() if path.is_dir())
_PLACEHOLDER = re.compile(r"\[?[A-Z]+\]?|…")  # of a command, in a sentence


def _dockerfile(text: str) -> None:
    interpret(DockerfileParseParser().parse(text.encode()))


def _definition(text: str) -> None:
    parse_hcl(decode_source("docker-bake.hcl", text.encode()))


_READERS: dict[str, Callable[[str], object]] = {
    "dockerfile": _dockerfile,
    "hcl": _definition,
    "json": json.loads,
    "python": ast.parse,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
    "console": lambda _: None,  # tests/e2e/test_documents.py
    "text": lambda _: None,
}


def problems_of(block: Block) -> Iterator[str]:
    """Yield the problems of a block that can be found without running it."""
    if block.language not in _READERS:
        yield f"the language {block.language!r} has no test"
        return
    if block.comments.get("not run") == "":
        yield "the reason is missing: <!-- not run: REASON -->"
    try:
        _READERS[block.language](block.text)
    except Exception as error:
        yield f"the {block.language} is invalid: {error}"
    file = block.comments.get("file")
    if file and block.text not in (REPOSITORY / file).read_text():
        yield f"the text is not that of {file}"
    if block.language == "console":
        if not block.commands:
            yield "no command: lines with a prompt ($ or #)"
        for command in block.commands:
            yield from problems_of_command(command.text)
            if not block.not_run and re.search(r"\b(pip|apt-get|sudo) ", command.text):
                yield f"a test must not run this: {command.text}"
    if block.language == "yaml":
        for command in re.findall(r"^ *-? run: (.*)$", block.text, re.MULTILINE):
            yield from problems_of_command(command)
    if block.language == "text":
        for line in block.text.splitlines():
            yield from _problems_of_text(line)


def problems_of_command(text: str) -> Iterator[str]:
    """Yield the unknown options of img and the missing paths of a shell command."""
    for words in _simple_commands(text):
        yield from _missing_paths(words)
        if re.fullmatch(r"(\.venv/bin/)?img", words[0]):
            yield from _problems_of_img(words[1:])


def _simple_commands(text: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if _OPERATOR.fullmatch(word):
            if words:
                yield words
            words = []
        elif words or not re.match(r"\w+=", word):
            words.append(word)


def _problems_of_img(words: list[str]) -> Iterator[str]:
    """Find the command in the tree, and its options among those that it has or refuses by name."""
    command, seen = _IMG, "img"
    words = modern_spelling(words)
    takes_value = _options(_IMG)
    while words:
        word, *words = words
        if word == "--":
            return
        if word.startswith("-") and len(word) > 1:
            name, equals, _ = word.partition("=")
            name = name if name.startswith("--") else name[:2]
            if name not in takes_value:
                yield f"{seen} has no option {name}"
            elif takes_value[name] and not equals and (len(word) == 2 or word.startswith("--")):
                words = words[1:]
        elif hasattr(command, "commands"):
            found = command.commands.get(word)
            if found is None and hasattr(command, "other_words"):
                found, words = command.commands[command.other_words], [word, *words]
            if found is None and _PLACEHOLDER.fullmatch(word):
                return
            if found is None:
                yield f"{seen} has no command {word}"
                return
            command, seen = found, f"{seen} {word}"
            takes_value = _options(command)
            if seen in ("img unshare", "img kaniko"):  # the words are those of another program
                return


def _options(command: Any) -> dict[str, bool]:
    """Return the options of a command, each with whether it takes a value."""
    own = {
        name: not parameter.is_flag
        for parameter in command.params
        if parameter.param_type_name == "option"
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    return {"-h": False, "--help": False, **own}


def _missing_paths(words: list[str]) -> Iterator[str]:
    for word in words:
        path = word.partition("::")[0].removeprefix("./")
        if (
            path.startswith(_PLACES)
            and not path.startswith(".")
            and not (REPOSITORY / path).exists()
        ):
            yield f"{path} does not exist"


def _problems_of_text(line: str) -> Iterator[str]:
    if re.match(r"([$#] )?(img|pip|docker|python3?|sudo|sh) ", line):
        yield f"a command is a block of the language console: {line}"
    yield from _missing_paths(line.split()[:1])


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_a_block_is_valid(block: Block) -> None:
    assert list(problems_of(block)) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_fence_belongs_to_a_block(path: Any) -> None:
    text = path.read_text()

    fences = re.findall(r"^ *(?:```|~~~)", text, re.MULTILINE)

    assert len(fences) == 2 * len(list(blocks_of(text, path.name)))


def test_the_commands_in_sentences_exist() -> None:
    found = [
        f"{document}: `{command}`: {problem}"
        for document, command in inline_commands()
        for problem in problems_of_command(command)
    ]

    assert found == []


@pytest.mark.parametrize(
    "block",
    [
        each
        for each in BLOCKS
        if each.language == "python"
        and each.comments.keys() <= {"setup"}
        and each.document not in PROGRAMS
    ],
    ids=lambda block: block.place,
)
def test_a_program_runs_and_checks_its_result(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    exec(compile(block.text, block.place, "exec"), {})

    assert re.search("^assert ", block.text, re.MULTILINE)
