"""``img login``, ``logout``."""

import sys
from typing import Annotated

import typer

from img.application.ports.credential_store import Credentials
from img.domain.errors import UsageError
from img.domain.reference import DOCKER_HUB_SERVER, registry_of, server_of
from img.entrypoints.cli import commands, options
from img.entrypoints.cli.options import RegistryOptions
from img.entrypoints.cli.output import say
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Needs, Session


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "login", cls=commands.followed_by("[SERVER]"), short_help="Log in to a Docker registry."
    )(login)
    app.command(
        "logout", cls=commands.followed_by("[SERVER]"), short_help="Log out from a Docker registry."
    )(logout)


Server = Annotated[list[str] | None, typer.Argument(hidden=True)]


@shared_options
def login(
    session: Session,
    registries: RegistryOptions,
    server: Server = None,
    username: Annotated[
        str, typer.Option("--username", "-u", help="Set the user name.", metavar="NAME")
    ] = "",
    password: Annotated[
        str, typer.Option("--password", "-p", help="Set the password.", metavar="TEXT")
    ] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin.")
    ] = False,
) -> None:
    """Log in to a Docker registry."""
    if server and len(server) > 1:
        raise UsageError(f"login expects zero or one arguments, found {len(server)}")
    if password:
        say("WARNING! Using --password via the CLI is insecure. Use --password-stdin.", error=True)
        if password_stdin:
            raise UsageError("--password and --password-stdin are mutually exclusive")
    if password_stdin:
        if not username:
            raise UsageError("must provide --username with --password-stdin")
        password = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    where = registry_of(server[0]) if server else DOCKER_HUB_SERVER
    with session.open(
        needs=Needs.REGISTRY,
        access=registries.access({where}, new_authfile=True),
    ) as container:
        use_case = container.registries.login()
        if not (username and password):
            if not sys.stdin.isatty():
                raise UsageError("cannot perform an interactive login from a non TTY device")
            username = username or _ask_username(use_case.known_user(where))
            password = password or typer.prompt("Password", hide_input=True)
        refuse_other_encodings(username, password)
        use_case(Credentials(username=username, password=password), where)
    say("Login succeeded.")


def refuse_other_encodings(*texts: str) -> None:
    """Raise UsageError for texts that are not UTF-8."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise UsageError("the user name or the password is not UTF-8") from None


def _ask_username(known: str) -> str:
    return str(
        typer.prompt(
            f"Username ({known})" if known else "Username",
            default=known or None,
            show_default=False,
        )
    )


@shared_options
def logout(
    session: Session,
    server: Server = None,
    authfile: options.AuthFile = "",
) -> None:
    """Log out from a Docker registry."""
    if server and len(server) > 1:
        raise UsageError(f"logout expects zero or one arguments, found {len(server)}")
    where = server[0] if server else DOCKER_HUB_SERVER
    access = RegistryOptions(authfile=authfile).access((), new_authfile=True)
    with session.open(needs=Needs.REGISTRY, access=access) as container:
        was_logged_in = container.registries.logout()(where)
    if not was_logged_in:
        say(f"Not logged in to {server_of(where)}")
        return
    say(f"Removing login credentials for {server_of(where)}")
    say("Logout succeeded.")
