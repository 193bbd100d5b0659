"""``img history``: records of builds, and the history of an image."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from img.domain.errors import UsageError
from img.entrypoints.cli import commands, image_history
from img.entrypoints.cli.formats import Format, is_template, show_rows
from img.entrypoints.cli.options import Texts, option
from img.entrypoints.cli.output import say, say_json, say_lines
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session
from img.entrypoints.cli.tables import aligned

if TYPE_CHECKING:
    from img.application.usecases.read_history import ReadHistory
    from img.domain.history.record import BuildRecord

_IMAGE = "image"
_HEADERS = {
    "ID": "BUILD ID",
    "Name": "NAME",
    "Status": "STATUS",
    "CreatedAt": "CREATED AT",
    "Duration": "DURATION",
    "Steps": "STEPS",
    "Cached": "CACHED",
    "Size": "SIZE",
    "Command": "COMMAND",
    "Context": "CONTEXT",
}
_TABLE = ("ID", "Name", "Status", "Steps", "Cached", "CreatedAt", "Duration")

Words = Annotated[Texts, typer.Argument(hidden=True)]
Filters = Annotated[
    Texts,
    option(
        "--filter",
        "-f",
        says="Select by status, name, command, context or id. Repeatable.",
        value="NAME=VALUE",
    ),
]


class _History(commands.Group):
    """A group of commands; other words are the arguments of ``img history IMAGE``."""

    other_words = _IMAGE

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = [self.other_words, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return the commands and the names of images with the typed beginning."""
        found = [*super().shell_complete(ctx, incomplete)]
        for each in self.commands[self.other_words].params:
            if each.param_type_name == "argument":
                found += each.shell_complete(ctx, incomplete)
        return found

    def collect_usage_pieces(self, _ctx: Any) -> list[str]:
        return ["COMMAND [ARGS]...", "| IMAGE"]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        cls=_History,
        help="Show records of builds, or the steps of an image (img history IMAGE).",
        short_help="Show records of builds, or the steps of an image.",
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    group.callback(invoke_without_command=True)(commands.show_help_alone)
    for name, words, says, command in (
        ("ls", "", "List builds, the latest first.", ls),
        ("inspect", "[BUILD]", "Show a build and its steps.", inspect),
        ("logs", "[BUILD] [STEP]", "Print the output of steps, all of it.", logs),
        ("rm", "BUILD...", "Remove records of builds.", rm),
        ("export", "[BUILD]", "Write a record and its logs to an archive.", export),
    ):
        group.command(name, cls=commands.followed_by(words), short_help=says)(command)
    group.command(_IMAGE, cls=commands.followed_by("NAME"), hidden=True)(image_history.history)
    app.add_typer(group, name="history")


@shared_options
def ls(
    session: Session,
    extra: Words = None,
    filters: Filters = None,
    quiet: Annotated[bool, option("--quiet", "-q", says="Print IDs only.")] = False,
    shape: Format = "",
) -> None:
    """List builds, the latest first."""
    from img.domain.history.selection import RecordFilter
    from img.entrypoints.cli.history_views import row_of, summary_of

    if extra:
        raise UsageError("no arguments expected")
    wanted = RecordFilter.parse(filters or ())
    with session.open() as container:
        now = container.system.clock().now().timestamp()
        records = [*container.housekeeping.read_history().all(wanted)]
    if quiet:
        say_lines([f"{record.id}\n" for record in records])
    elif shape == "json":
        for record in records:
            say_json(summary_of(record))
    else:
        rows = [row_of(record, now) for record in records]
        if is_template(shape):
            show_rows(shape, rows, _HEADERS)
        else:
            cells = [[row[column] for column in _TABLE] for row in (_HEADERS, *rows)]
            say_lines(aligned(cells))


@shared_options
def inspect(
    session: Session,
    words: Words = None,
    shape: Annotated[str, option("--format", says="Print text or json.", value="FORMAT")] = "",
) -> None:
    """Show what was built from where, the result, and each step.

    BUILD is the start of an ID, ^1 for the build before the latest, ^2 … The latest is the default.
    """
    from img.entrypoints.cli.history_views import described, document_of

    if shape not in ("", "json", "pretty"):
        raise UsageError(f"--format {shape}: use json")
    with session.open() as container:
        read = container.housekeeping.read_history()
        record = read.find(_single(words))
        end = [*_last_lines(read, record)] if record.failed and shape != "json" else []
    if shape == "json":
        say_json(document_of(record), indent=2)
    else:
        say_lines(f"{line}\n" for line in described(record, end))


@shared_options
def logs(session: Session, words: Words = None) -> None:
    """Print the output of a step exactly as it was, or that of all steps under their names.

    STEP is its number in `img history inspect`, or a part of its name.
    """
    from img.entrypoints.cli.history_views import write_logs

    with session.open() as container:
        read = container.housekeeping.read_history()
        record, step = read.find_step(words or ())
        with container.system.output_files().file("-") as out:
            write_logs(read, record, step, out, shows=sys.stdout.isatty())


@shared_options
def rm(
    session: Session,
    words: Words = None,
    everything: Annotated[bool, option("--all", says="Remove all records.")] = False,
) -> None:
    """Remove records of builds; running builds keep theirs."""
    if bool(words) is everything:
        raise UsageError("must pass builds to remove, or --all")
    with session.open() as container:
        read = container.housekeeping.read_history()
        if everything:
            records = [each for each in read.all() if each.status != "running"]
        else:
            records = [read.find(word) for word in words or ()]
        for record in {each.id: each for each in records}.values():
            read.remove(record)
            say(record.id)


@shared_options
def export(
    session: Session,
    words: Words = None,
    output: Annotated[
        str, option("--output", "-o", says="Write this file (- is stdout).", value="FILE")
    ] = "",
) -> None:
    """Write a record as record.json, and the output of each step, to a gzipped tar archive."""
    from img.entrypoints.cli.history_views import export_record

    if not output:
        raise UsageError("must pass a file", hint="such as -o build.tar.gz")
    with session.open() as container:
        read = container.housekeeping.read_history()
        record = read.find(_single(words))
        with container.system.output_files().file(output) as file:
            export_record(read, record, file)


def _single(words: Texts) -> str:
    if words and len(words) > 1:
        raise UsageError("must pass one build")
    return words[0] if words else ""


def _last_lines(read: "ReadHistory", record: "BuildRecord") -> Iterator[str]:
    from img.domain.shown_text import shown_output

    if record.failed is None:
        return
    end = b""
    for piece in read.output(record, record.failed):
        end = (end + piece.data)[-8192:]
    for line in end.decode("utf-8", "replace").splitlines()[-20:]:
        yield shown_output(line)
