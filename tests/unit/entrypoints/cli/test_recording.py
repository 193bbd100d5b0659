"""Options of a build, as its record has them."""

from typing import Annotated

import typer
from typer.testing import CliRunner

from img.domain.graph.codec import Json
from img.domain.history.facts import hidden
from img.domain.history.journal import asked_entry
from img.entrypoints.cli.recording import given_options

Words = Annotated[list[str], typer.Option()]


def test_options_are_recorded_without_secrets() -> None:
    given: dict[str, Json] = {}
    app = typer.Typer()

    @app.command()
    def build(ctx: typer.Context, cache_to: Words, override: Words, build_arg: Words) -> None:
        given.update(given_options(ctx))

    bucket = "type=s3,bucket=b,secret_access_key=k-4711,session_token=s-4711"
    words = ["--cache-to", bucket, "--override", f"*.cache-to={bucket}"]
    words += ["--override", "app.args.TOKEN=t-4711", "--build-arg", "URL=https://u:p-4711@h/"]
    words += ["--build-arg", "API_TOKEN=t-4711"]
    CliRunner().invoke(app, words, catch_exceptions=False)

    entry = asked_entry("build", given, "", "1", 1.0)
    options = entry["options"]
    assert "4711" not in str(entry)
    assert isinstance(options, dict)
    assert options["cache_to"] == ["type=s3,bucket=b,secret_access_key=***,session_token=***"]
    assert str(options["build_arg"]).endswith(f"'API_TOKEN={hidden('t-4711')}']")
    assert str(options["build_arg"]).startswith("['URL=https://")
