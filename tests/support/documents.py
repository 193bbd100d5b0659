"""The blocks of code in README.md and docs/, as the tests of the documents read them.

A comment directly above a block, which readers of the page do not see, says more about it:

- ``<!-- not run: REASON -->``: no test runs the block;
- ``<!-- file: PATH -->``: the block is the text of this file, or a part of it;
- ``<!-- setup: COMMANDS -->``: commands that a test runs before those of the block;
- ``<!-- other output: REASON -->``: a test runs the commands, and does not compare their output.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import dedent

from tests.support.host.machine import REPOSITORY

DOCUMENTS = sorted(
    path
    for path in (*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"))
    if path.parent.name != "adr"
)
# In these documents all Python blocks are one program (tests/integration/test_api_page.py).
PROGRAMS = ("docs/api.md",)
_BLOCK = re.compile(
    r"(?P<comments>(?:^ *<!-- (?:not run|file|setup|other output):.*?-->\n+)*)"
    r"^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"<!-- (not run|file|setup|other output): *(.*?) *-->", re.DOTALL)
_PROMPT = re.compile(r"[$#] ")
_INLINE = re.compile(r"`(img [^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a console block, and the output that the block shows for it."""

    text: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of code in a document."""

    document: str  # relative to the repository
    line: int
    language: str
    text: str
    comments: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The document and the line, as messages name them."""
        return f"{self.document}:{self.line}"

    @property
    def not_run(self) -> bool:
        return "not run" in self.comments

    @property
    def commands(self) -> list[Command]:
        """The commands of a console block: lines with a prompt, and their continuations."""
        found: list[Command] = []
        continued = False
        for line in self.text.splitlines():
            if _PROMPT.match(line):
                found.append(Command(line[2:], ""))
            elif continued:
                found[-1] = Command(f"{found[-1].text}\n{line}", "")
            elif found:
                found[-1] = Command(found[-1].text, f"{found[-1].output}{line}\n")
            continued = line.endswith("\\") and not (found and found[-1].output)
        return found


def blocks_of(text: str, document: str) -> Iterator[Block]:
    """Yield the blocks of a document."""
    for found in _BLOCK.finditer(text):
        yield Block(
            document=document,
            line=text.count("\n", 0, found.start("indent")) + 1,
            language=found["language"],
            text=dedent(found["text"]),
            comments=dict(_COMMENT.findall(found["comments"])),
        )


def all_blocks() -> list[Block]:
    """Return the blocks of all documents."""
    return [
        block
        for path in DOCUMENTS
        for block in blocks_of(path.read_text(), str(path.relative_to(REPOSITORY)))
    ]


def inline_commands() -> Iterator[tuple[str, str]]:
    """Yield the document and the text of each img command within a sentence."""
    for path in DOCUMENTS:
        sentences = _BLOCK.sub("", path.read_text())
        for command in _INLINE.findall(sentences):
            yield str(path.relative_to(REPOSITORY)), command
