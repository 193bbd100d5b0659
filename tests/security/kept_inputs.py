"""Inputs that are kept: those that failed once, and those that open a path of their own."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.security.fuzzing import Target, kind_of, outcome_of, smallest

CORPUS = Path(__file__).parent / "corpus"
_KEPT_OF_A_KIND = 3
_LARGEST_KEPT = 4000  # bytes


class Findings:
    """The failures of a run; the first few of each kind are kept, in ``place``."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.failures = 0
        self.kinds: dict[str, int] = {}

    def failed(self, target: Target[Any], seed: int, given: object, reason: str) -> None:
        """Note a failure, print it, and keep its input if it is one of the first of its kind."""
        self.failures += 1
        kind = f"{target.name}: {kind_of(reason)}"
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if self.kinds[kind] > _KEPT_OF_A_KIND:
            return
        directory = self._place / f"img-fuzz-{target.name}-{seed}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "reason").write_text(reason)
        target.keep(given, directory)
        target.keep(smallest(target, given, reason), directory)
        sys.stdout.write(
            f"FAILURE: {target.name}, seed {seed}: {reason.rstrip()}\nkept in {directory}; again: "
            f"python -m tests.security.fuzz {target.name} --seed {seed} --count 1\n"
        )
        sys.stdout.flush()


class Outcomes:
    """The smallest input that was seen for each outcome of a target, in ``place``."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._smallest: dict[str, int] = {}

    def note(self, target: Target[Any], given: object) -> None:
        """Keep ``given`` if nothing as small has gone its way."""
        content = target.render(given)
        outcome = f"{target.name}/{outcome_of(target, given)}"
        if len(content) < min(self._smallest.get(outcome, _LARGEST_KEPT), _LARGEST_KEPT):
            self._smallest[outcome] = len(content)
            directory = self._place / target.name
            directory.mkdir(parents=True, exist_ok=True)
            name = hashlib.sha256(outcome.encode(errors="replace")).hexdigest()[:12]
            (directory / name).write_bytes(content)


def kept(target: str) -> Iterator[Path]:
    """Yield the files of the corpus for ``target``, in order."""
    yield from sorted((CORPUS / target).iterdir()) if (CORPUS / target).is_dir() else ()
