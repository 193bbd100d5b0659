"""Generated Dockerfiles give each user BuildKit's image.

$IMG_DIFF_SEEDS says how many, $IMG_DIFF_FIRST where to begin; $IMG_DIFF_BUILDKIT may name a
directory with buildkitd and buildctl, which then judge all of the language.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random

import pytest

from tests.differential.builders import DockersBuildKit, Judge, NewestBuildKit
from tests.differential.case import Case, Stage, Step
from tests.differential.commands import commands
from tests.differential.comparison import Comparison
from tests.differential.files import File
from tests.differential.grammar import a_case
from tests.differential.judgement import LISTED
from tests.differential.shrinking import smallest
from tests.support.host.docker_daemon import DockerDaemon
from tests.support.host.img_command import ImgFor
from tests.support.host.machine import REPOSITORY

_SEEDS = int(os.environ.get("IMG_DIFF_SEEDS", "100"))
_FIRST = int(os.environ.get("IMG_DIFF_FIRST", "0"))
_SHOWN = 3  # cases that are made small


@pytest.fixture
def judges(workplace: Path, busybox_layout: Path) -> Iterator[Sequence[Judge]]:
    """Return the builders that are right."""
    with ExitStack() as stack:
        place = workplace / "docker"
        place.mkdir()
        daemon = stack.enter_context(closing(DockerDaemon(place)))
        found: list[Judge] = [DockersBuildKit(daemon, busybox_layout, place)]
        if programs := os.environ.get("IMG_DIFF_BUILDKIT"):
            place = workplace / "buildkit"
            place.mkdir()
            newest = NewestBuildKit(Path(programs), place, busybox_layout)
            found.append(stack.enter_context(closing(newest)))
        yield found


@pytest.mark.userns
@pytest.mark.peers
@pytest.mark.timeout(600 + 20 * _SEEDS)
def test_generated_dockerfiles_are_built_as_buildkit_builds_them(
    img_for: ImgFor, workplace: Path, busybox_layout: Path, judges: Sequence[Judge]
) -> None:
    comparison = Comparison(
        imgs={who: img_for(who, f"state-{who}") for who in ("root", "user", "one-id")},
        judges=judges,
        layout=busybox_layout,
        place=workplace,
        by_turns="IMG_DIFF_SEEDS" not in os.environ,
    )
    cases = [a_case(number) for number in range(_FIRST, _FIRST + _SEEDS)]

    tally = comparison.tally(cases)

    different = [case for case in cases if case.number in tally.differences]
    small = [comparison.smallest(case) for case in different[:_SHOWN]]
    assert not different, "\n\n".join(
        [
            f"{len(different)} of {tally}"[:3000],
            *(_shown(case, comparison.tally([case]).differences) for case in small),
        ]
    )
    assert tally.built > 0.6 * tally.cases  # or the grammar tries nothing
    assert min(tally.judged.values()) > 0.6 * 0.8 * tally.cases


def _shown(case: Case, differences: object) -> str:
    files = "\n".join(f"  {str(file)[:200]}" for file in case.files)
    return f"case {case.number}:\n{case.text()}{case.ignore}\n{files}\n{differences}"


def test_a_case_is_made_as_small_as_what_it_shows() -> None:
    steps = [Step.of_old(f"RUN {text}; true") for text in ("a; b; c", "d", "e")]
    case = Case(
        number=1,
        files=(File(path="f"), File(path="g"), File(path="h")),
        stages=(
            Stage(base="busybox", name="one", steps=(steps[1],)),
            Stage(base="busybox", name="two", steps=tuple(steps)),
        ),
    )

    def show(cases: Sequence[Case]) -> list[bool]:
        return ["; b" in one.text() and File(path="g") in one.files for one in cases]

    small = smallest(case, show)

    assert small.text() == "FROM busybox AS two\nRUN a; b\n"
    assert small.files == (File(path="g"),)


def test_no_command_waits_at_a_fifo() -> None:
    waiting = []
    for number in range(500):
        free = ["/tmp/left", "/tmp/t"]  # where no FIFO can be
        for command in commands(Random(number), devices=True).split("; "):
            opens = re.match("echo|cp|sed|truncate", command)
            if opens and not command.endswith(tuple(free)):
                waiting.append(command)
            if command.startswith("rm -rf "):
                emptied = command.removeprefix("rm -rf ")
                free += [f"> {emptied}", f"> {emptied}/x"]

    assert waiting == []


def test_what_may_differ_is_said_to_users() -> None:
    page = (REPOSITORY / "docs/compatibility.md").read_text()
    assert [what for what in LISTED if what not in page] == []
