"""A writer of the tables of docs/matrix.md: ``python -m tests.matrix.page``."""

from collections.abc import Iterator

from tests.matrix.cells import CELLS, ENVIRONMENTS
from tests.matrix.table import Builds, Fails, Refuses, cases
from tests.support.host.machine import REPOSITORY

PAGE = REPOSITORY / "docs/matrix.md"
_START, _END = "<!-- made by tests/matrix/page.py -->\n", "<!-- end -->\n"


def render() -> str:
    """Return the text between the marks of the page."""
    return "\n".join((*_cells(), "", *_notes(), "", *_dockerfiles(), ""))


def _cells() -> Iterator[str]:
    yield "| environment | `--executor` | `--backend` | |"
    yield "|---|---|---|---|"
    for environment in ENVIRONMENTS:
        title = environment.title
        for cell in CELLS:
            if cell.environment == environment.name:
                yield f"| {title} | `{cell.executor}` | `{cell.snapshotter}` | {_outcome(cell)} |"
                title = ""


def _outcome(cell: Builds | Refuses) -> str:
    if isinstance(cell, Refuses):
        return f"refused: “{cell.error}…”"
    chosen = f" ({cell.announced})" if "auto" in (cell.executor, cell.snapshotter) else ""
    numbers = sorted({_number(exception) for exception in _whys(cell)})
    but = f", but for {', '.join(f'({number})' for number in numbers)}" if numbers else ""
    return f"**equal**{but}{chosen}"


def _whys(cell: Builds) -> list[str]:
    return [exception.why for exception in cell.exceptions.values()]


def _number(why: str) -> int:
    return _all_whys().index(why) + 1


def _all_whys() -> list[str]:
    builds = (cell for cell in CELLS if isinstance(cell, Builds))
    return list(dict.fromkeys(why for cell in builds for why in _whys(cell)))


def _notes() -> Iterator[str]:
    builds = [cell for cell in CELLS if isinstance(cell, Builds)]
    for number, why in enumerate(_all_whys(), 1):
        found = [
            (case, exception)
            for cell in builds
            for case, exception in cell.exceptions.items()
            if exception.why == why
        ]
        names = ", ".join(f"`{_name(case)}`" for case in dict.fromkeys(case for case, _ in found))
        texts = dict.fromkeys(e.text for _, e in found if isinstance(e, Fails))
        said = "".join(f" “{text}”:" for text in texts)
        yield f"{number}. {names}:{said} {why}."


def _dockerfiles() -> Iterator[str]:
    yield "| Dockerfile | tries |"
    yield "|---|---|"
    for case, caption in cases().items():
        yield f"| `{_name(case)}` | {caption} |"


def _name(case: str) -> str:
    return case.rpartition(":")[2]


def main() -> None:
    """Put the tables into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_START)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_START}\n{render()}\n{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
