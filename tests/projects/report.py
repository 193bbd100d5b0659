"""The results of each project, in files, and the table of docs/compatibility.md."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tests.projects.compare import Compared, Difference, known
from tests.projects.table import PROJECTS, Project

_SHOWN = 12  # differences of a kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One image of a project."""

    seconds: float
    entries: int
    ran: bool = False
    differences: Sequence[str] = ()  # from the peer's, in entries, config and history
    known: int = 0  # more of them, which come from the age of the peer
    contents: Sequence[str] = ()


@dataclass(slots=True, kw_only=True)
class Result:
    """A project by builders; ``failed`` says what a builder said that did not end well."""

    found: dict[str, Found] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def save(self, file: Path) -> None:
        """Keep it."""
        file.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, file: Path) -> "Result":
        """Return the stored results."""
        facts = json.loads(file.read_text())
        found = {name: Found(**each) for name, each in facts["found"].items()}
        return cls(found=found, failed=facts["failed"])


def compared(found: Found, with_peer: Compared, varies: str = "") -> Found:
    """Return the results, with the differences from the peer's.

    Entries that are missing where a path begins with ``varies`` count as contents.
    """
    moving = [each for each in with_peer.entries if _varies(each, varies)]
    differences = [each for each in (*with_peer.entries, *with_peer.config) if each not in moving]
    new = [str(difference) for difference in differences if not known(difference)]
    contents = [*with_peer.contents, *(each.where for each in moving)]
    return replace(found, differences=new, known=len(differences) - len(new), contents=contents)


def _varies(difference: Difference, pattern: str) -> bool:
    is_missing = difference.what == "missing"
    return bool(pattern) and is_missing and re.match(pattern, difference.where) is not None


def shown(project: Project, result: Result) -> Iterator[str]:
    """Yield the lines of the report of a project."""
    for name, each in result.found.items():
        yield (
            f"{project.name}: {name}: {each.seconds:.1f} s, {each.entries} entries, "
            f"{len(each.differences)} differences, {each.known} of the peer's age, "
            f"{len(each.contents)} other contents, {'ran' if each.ran else 'not run'}"
        )
        yield from _some(each.differences)
        yield from _some(each.contents)
    for name, said in result.failed.items():
        yield f"{project.name}: {name}: FAILED: {said}"


def _some(all_of_them: Sequence[str]) -> Iterator[str]:
    for line in all_of_them[:_SHOWN]:
        yield f"    {line}"
    if len(all_of_them) > _SHOWN:
        yield f"    … {len(all_of_them) - _SHOWN} more"


def table(results: Path, names: Sequence[str]) -> Iterator[str]:
    """Yield the table for the documentation, of all projects that have a result."""
    users = " | ".join(names)
    yield f"| project | what is in it | {users} | entries | differences | contents | ran |"
    yield f"|{'---|' * (len(names) + 6)}"
    for project in PROJECTS:
        file = results / f"{project.name}.json"
        if file.exists():
            yield _row(project, Result.load(file).found, names)


def _row(project: Project, found: Mapping[str, Found], names: Sequence[str]) -> str:
    ours = [found[name] for name in names[:-1] if name in found]
    seconds = (f"{found[name].seconds:.0f}" if name in found else "-" for name in names)
    entries = max((each.entries for each in ours), default=0)
    cells = (
        project.name,
        project.holds,
        *seconds,
        f"{entries:,}",
        _range(len(each.differences) for each in ours),
        _range(len(each.contents) for each in ours),
        project.check.caption if ours and all(each.ran for each in ours) else "-",
    )
    return f"| {' | '.join(cells)} |"


def _range(numbers: Iterator[int]) -> str:
    distinct = sorted(set(numbers))
    return " to ".join(map(str, (distinct[:1] + distinct[1:][-1:]))) or "-"
