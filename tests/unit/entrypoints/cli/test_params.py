"""Options that most commands have."""

import inspect
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from img.entrypoints.cli.options import RegistryOptions
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.settings import RegistryAccess


def outcome_of(*words: str, before: Session) -> tuple[Session, RegistryOptions, str]:
    """Run a command with ``words``; the options before the command are ``before``."""
    seen: list[tuple[Session, RegistryOptions, str]] = []

    @shared_options
    def command(
        session: Session,
        registries: RegistryOptions,
        name: Annotated[str, typer.Option("--name")] = "none",
    ) -> None:
        seen.append((session, registries, name))

    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, words, obj=before)
    assert result.exit_code == 0, result.output
    (one,) = seen
    return one


def test_options_after_the_command_win() -> None:
    before = Session(state="/a", backend="naive")

    session, registries, name = outcome_of("--state", "/b", "-d", "--name", "n", before=before)

    assert session == Session(state="/b", backend="naive", debug=True, command="command")
    assert registries == RegistryOptions()
    assert name == "n"


def test_options_for_registries_become_one_value() -> None:
    words = ("--insecure-registry", "--no-tls-verify", "--authfile", "/auth.json")

    session, registries, _ = outcome_of(*words, before=Session())

    assert session == Session(command="command")
    assert registries == RegistryOptions(insecure=True, tls_verify=False, authfile="/auth.json")


def test_own_options_come_first_and_the_context_is_passed_if_it_is_wanted() -> None:
    @shared_options
    def command(ctx: typer.Context, session: Session, extra: bool = False) -> None:
        """Do nothing."""

    assert list(inspect.signature(command).parameters) == [
        "ctx",
        "extra",
        "state",
        "backend",
        "shared_store",
        "debug",
    ]
    assert command.__doc__ == "Do nothing."


def test_insecure_is_for_the_registries_that_are_named() -> None:
    assert RegistryOptions(insecure=True).access({"a"}) == RegistryAccess(insecure=frozenset({"a"}))
    assert RegistryOptions().access({"a"}) == RegistryAccess()


@pytest.mark.parametrize("name", ["build", "ls", "pull", "push", "tags", "rm", "login", "du"])
def test_every_command_has_the_options_of_the_state(name: str) -> None:
    from img.entrypoints.cli.app import command_line

    for command in command_line([name]).registered_commands:
        assert command.callback is not None
        assert {"state", "backend", "debug"} <= set(inspect.signature(command.callback).parameters)
