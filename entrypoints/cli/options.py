"""Options that commands share."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from img.domain.errors import UsageError
from img.entrypoints.settings import RegistryAccess

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
TlsVerify = Annotated[
    bool, typer.Option("--tls-verify/--no-tls-verify", help="Check registries' certificates.")
]
AuthFile = Annotated[
    str,
    typer.Option("--authfile", help="Credentials file, in place of the usual.", metavar="FILE"),
]
Filter = Annotated[
    str, typer.Option("--filter", "-f", help="Only what contains this text.", metavar="TEXT")
]

# As podman and buildah have it; Typer's flags take no values.
_FLAGS_WITH_VALUES = {
    "--tls-verify=true": "--tls-verify",
    "--tls-verify=false": "--no-tls-verify",
}


def followed_by(words: str = "") -> type[TyperCommand]:
    """Return the class of commands whose usage has ``words`` after the options."""

    class Command(TyperCommand):
        def collect_usage_pieces(self, ctx: Any) -> list[str]:
            return [piece for piece in (self.options_metavar, words) if piece]

    return Command


def access(
    domains: Collection[str],
    *,
    insecure: bool,
    tls_verify: bool,
    auth_file: str,
    new_auth_file: bool = False,
) -> RegistryAccess:
    """Return what the options say; ``insecure`` is meant for the registries ``domains``.

    Raises UsageError if ``auth_file`` is not there, unless it may be a new one.
    """
    if auth_file and not new_auth_file and not os.path.lexists(auth_file):
        raise UsageError(f"--authfile {auth_file}: no such file", hint="`img login` makes one")
    return RegistryAccess(
        insecure=frozenset(domains) if insecure else frozenset(),
        tls_verify=tls_verify,
        auth_file=Path(auth_file) if auth_file else None,
    )


# The seed took Go's single-dash long flags; `-target` would else be read as `-t arget`.
_SEED_SPELLINGS = ("state", "backend", "build-arg", "target", "password-stdin")


def modern_spelling(arguments: list[str]) -> list[str]:
    """Return ``arguments`` with the seed's long flags spelled with two dashes.

    What follows "--", or is another program's (``img unshare``), stays as it is.
    """
    modern: list[str] = []
    for i, argument in enumerate(arguments):
        if argument == "--" or (argument == "unshare" and all(w[:1] == "-" for w in modern)):
            return [*modern, *arguments[i:]]
        name = argument[1:].partition("=")[0]
        seed = argument.startswith("-") and name in _SEED_SPELLINGS
        modern.append(f"-{argument}" if seed else _FLAGS_WITH_VALUES.get(argument, argument))
    return modern
