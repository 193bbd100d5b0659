"""Builds cases with every kind of user and with BuildKit, and compares."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.differential.builders import Built, Judge, built_by_img
from tests.differential.case import Case
from tests.differential.judgement import differences
from tests.differential.shrinking import smallest
from tests.support.host.img_command import Img

_BATCH = 25  # cases with images in memory at a time
_PLACES = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The number of cases, and the differences."""

    cases: int
    instructions: int
    built: int
    judged: Mapping[str, int]  # by the judge's name, those that both built
    differences: Mapping[int, Sequence[str]]  # by the case's number


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All builders; root's image is compared with that of each user."""

    imgs: Mapping[str, Img]  # with "root"
    judges: Sequence[Judge]
    layout: Path  # of the base image
    place: Path
    by_turns: bool  # each case is built by root and one other alone

    def tally(self, cases: Sequence[Case]) -> Tally:
        """Build and compare the cases."""
        found: dict[int, Sequence[str]] = {}
        judged = {judge.name: 0 for judge in self.judges}
        succeeded = 0
        for start in range(0, len(cases), _BATCH):
            some = cases[start : start + _BATCH]
            ours, theirs = self._build(some)
            images = ours["root"][0]
            succeeded += sum(not isinstance(image, str) for image in images.values())
            for name, built in theirs.items():
                judged[name] += sum(not isinstance(image, str) for image in built.values())
            for case in some:
                if lines := self._differences(case, ours, theirs):
                    found[case.number] = lines
        return Tally(
            cases=len(cases),
            instructions=sum(case.size for case in cases),
            built=succeeded,
            judged=judged,
            differences=found,
        )

    def smallest(self, case: Case) -> Case:
        """Return a part of a case that differs which still does."""

        def differ(cases: Sequence[Case]) -> list[bool]:
            found = self.tally(cases).differences
            return [case.number in found for case in cases]

        return smallest(case, differ)

    def _build(
        self, cases: Sequence[Case]
    ) -> tuple[Mapping[str, tuple[Built, Mapping[int, str]]], Mapping[str, Built]]:
        place = self.place / f"cases-{next(_PLACES)}"
        place.mkdir(mode=0o755)
        with ThreadPoolExecutor() as threads:
            ours = {
                name: threads.submit(
                    built_by_img, img, self._cases_of(name, cases), place / name, self.layout
                )
                for name, img in self.imgs.items()
            }
            theirs = {
                judge.name: threads.submit(judge.build, cases, place / judge.name)
                for judge in self.judges
            }
            built = (
                {name: future.result() for name, future in ours.items()},
                {name: future.result() for name, future in theirs.items()},
            )
        place.rmdir()
        return built

    def _cases_of(self, name: str, cases: Sequence[Case]) -> Sequence[Case]:
        if name == "root":
            return cases
        if name == "user":  # no step of theirs can make devices (docs/rootless.md)
            cases = [case for case in cases if not case.has_devices]
        others = [other for other in self.imgs if other != "root"]
        turn = others.index(name)
        return [c for c in cases if not self.by_turns or c.number % len(others) == turn]

    def _differences(
        self,
        case: Case,
        ours: Mapping[str, tuple[Built, Mapping[int, str]]],
        theirs: Mapping[str, Built],
    ) -> list[str]:
        images, digests = ours["root"]
        image = images[case.number]
        found = []
        for name, (others, their_digests) in ours.items():
            if case.number not in others:
                continue
            if their_digests.get(case.number) != digests.get(case.number):
                lines = differences(case, image, others[case.number]) or ["another digest"]
                found += [f"{name}, who is called BuildKit here: {line}" for line in lines]
            # Of several stages that fail at the same time, any may be the first.
            elif len(case.stages) == 1 and isinstance(image, str) and image != others[case.number]:
                found.append(f"{name}: {others[case.number]}; root: {image}")
        for judge in self.judges:
            if (right := theirs[judge.name].get(case.number)) is not None:
                lines = differences(case, image, right, judge.is_of_2020)
                found += [f"{judge.name}: {line}" for line in lines]
        return found
