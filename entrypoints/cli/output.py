"""Printing of results and messages: no other module prints.

Parts of them come from registries, images and Dockerfiles, so all goes through ``shown``. That
module is imported when there is something to say: its patterns take a moment to compile.
"""

import os
import sys
from collections.abc import Iterable

import typer


def say(line: str = "", *, error: bool = False) -> None:
    """Print one line on standard output, or as an ``error`` on standard error."""
    from img.domain.shown_text import shown_in_line

    typer.echo(shown_in_line(line), err=error)


def say_text(text: str, *, error: bool = False) -> None:
    """Print ``text``, which has its own line ends."""
    from img.domain.shown_text import shown

    typer.echo(shown(text), err=error, nl=False)


def say_lines(texts: Iterable[str]) -> None:
    """Print ``texts`` one after the other; they have their own line ends."""
    from img.domain.shown_text import shown_exactly

    typer.echo("".join(map(shown_exactly, texts)), nl=False)


def terminal_columns() -> int:
    """Return the width of the terminal on standard output; 80 if it does not say."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def say_json(document: object, *, indent: int | str | None = None) -> None:
    """Print ``document`` as JSON; its escapes make control characters harmless."""
    import json

    say_encoded(json.dumps(document, indent=indent, ensure_ascii=False))


def say_encoded(text: str) -> None:
    """Print ``text``, which is JSON already."""
    from img.domain.shown_text import shown_json

    typer.echo(shown_json(text))
