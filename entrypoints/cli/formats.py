"""``--format``: rows as Docker's templates, tables and JSON."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from img.entrypoints.cli.output import say_lines
from img.entrypoints.cli.tables import aligned

if TYPE_CHECKING:
    from img.domain.go.template.values import Value

Format = Annotated[
    str,
    typer.Option(
        "--format",
        help='Print as table, json, a Go template or "table TEMPLATE".',
        metavar="FORMAT",
        show_default=False,
    ),
]


def is_template(shape: str) -> bool:
    """Return whether ``shape`` is a template: not "", "table" or "json"."""
    return shape not in ("", "table", "json")


def show_rows(shape: str, rows: "Sequence[Value]", headers: Mapping[str, str]) -> None:
    """Print ``rows`` as ``shape`` says: "json", a template, or "table TEMPLATE" with ``headers``.

    As in docker/cli, cli/command/formatter/formatter.go, ``\\t`` and ``\\n`` in a template are tab
    and line feed, and the columns of a table are divided by tabs. Raises TemplateError.
    """
    from img.domain.go.template.render import Template

    if shape == "json":
        shape = "{{json .}}"
    is_table = shape.startswith("table ")
    text = shape.removeprefix("table ").strip(" ").replace("\\t", "\t").replace("\\n", "\n")
    template = Template(text)
    lines = [template.render(row) for row in rows]
    if is_table:
        cells = [line.split("\t") for line in (template.render({**headers}), *lines)]
        say_lines(aligned(cells, least=10, gap=3))
    else:
        say_lines(f"{line}\n" for line in lines)
