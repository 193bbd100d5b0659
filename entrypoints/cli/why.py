"""``img why``: why the steps of a build were not cached."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from img.entrypoints.cli import commands
from img.entrypoints.cli.options import Texts
from img.entrypoints.cli.output import say
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session

if TYPE_CHECKING:
    from img.domain.history.explain import Explanation
    from img.domain.history.record import BuildRecord, StepRecord
    from img.entrypoints.wiring.root import Container


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "why",
        cls=commands.followed_by("[BUILD] [STEP]"),
        short_help="Show why steps of a build were not cached.",
    )(why)


@shared_options
def why(session: Session, words: Annotated[Texts, typer.Argument(hidden=True)] = None) -> None:
    """Show for each step of a build that ran what differs from the nearest earlier build.

    BUILD and STEP are those of `img history`; the latest build is the default.
    """
    with session.open() as container:
        record, step = container.housekeeping.read_history().find_step(words or ())
        found = container.housekeeping.explain_build()(record, step)
    for line in explained(record, step, found):
        say(line)


def explain_latest(container: "Container", record: str) -> Iterator[str]:
    """Yield the lines of ``--explain`` about the build with this record."""
    found = container.housekeeping.read_history().find(record)
    yield from explained(found, None, container.housekeeping.explain_build()(found))


def explained(
    record: "BuildRecord", step: "StepRecord | None", found: "Sequence[Explanation]"
) -> Iterator[str]:
    """Yield the lines about the explanations of a build, or of one step."""
    from img.domain.history.record import Outcome

    for each in found:
        if each.reasons:
            since = f" (since build {each.earlier})" if each.earlier else ""
            yield f"{each.step.name}: {', '.join(each.reasons)}{since}"
    if step is not None:
        if not any(each.reasons for each in found):
            reason = "it was cached" if step.outcome is Outcome.CACHED else "nothing has changed"
            yield f"{step.name}: {reason}"
        return
    steps = record.instructions
    cached = sum(each.outcome is Outcome.CACHED for each in steps)
    if found:
        yield f"{cached} of {len(steps)} steps were cached"
    else:
        yield f"nothing has changed: no step of {len(steps)} had to run"
