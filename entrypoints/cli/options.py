"""Options that commands share."""

from typing import Annotated

import typer

State = Annotated[
    str | None,
    typer.Option("--state", "-s", help="Directory to hold the global state.", metavar="DIR"),
]
Backend = Annotated[
    str | None,
    typer.Option(
        "--backend",
        "-b",
        help="Backend for snapshots: auto, overlayfs, naive or fuse.",
        metavar="NAME",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", "-d", help="Enable debug logging.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Insecure = Annotated[
    bool,
    typer.Option("--insecure-registry", help="Talk plain HTTP to the registry in the name."),
]
Filter = Annotated[
    str, typer.Option("--filter", "-f", help="Only what contains this text.", metavar="TEXT")
]

# The seed took Go's single-dash long flags; `-target` would else be read as `-t arget`.
_SEED_SPELLINGS = ("state", "backend", "build-arg", "target", "password-stdin")


def modern_spelling(arguments: list[str]) -> list[str]:
    """Return ``arguments`` with the seed's long flags spelled with two dashes."""
    modern: list[str] = []
    for i, argument in enumerate(arguments):
        if argument == "--":
            return [*modern, *arguments[i:]]
        name = argument[1:].partition("=")[0]
        seed = argument.startswith("-") and name in _SEED_SPELLINGS
        modern.append(f"-{argument}" if seed else argument)
    return modern
