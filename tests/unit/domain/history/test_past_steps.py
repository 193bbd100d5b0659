"""Earlier builds are read only as far as a question needs them."""

from collections.abc import Iterator

from img.domain.history.explain import Explain
from img.domain.history.facts import StepFacts
from img.domain.history.past_steps import PastSteps
from img.domain.history.record import BuildRecord, Outcome, StepRecord


def build(number: int, **facts: object) -> BuildRecord:
    """Return the record of a build with one step."""
    step = StepRecord(
        vertex="1",
        name="[1/1] RUN x",
        outcome=Outcome.DONE,
        facts=StepFacts(operation={"operation": "Exec"}, **{"inputs": (), **facts}),  # type: ignore[arg-type]
    )
    return BuildRecord(id=f"{number}", started=float(number), steps=(step,))


def read_for(new: BuildRecord, *earlier: BuildRecord) -> list[str]:
    """Return the ids of the builds that are read to explain ``new``."""
    read: list[str] = []

    def records() -> Iterator[BuildRecord]:
        for each in earlier:
            read.append(each.id)
            yield each

    explain = Explain(record=new, earlier=PastSteps(records()), files=lambda *_: None)
    assert len([*explain.all()]) == len([*explain.all()]) == 1
    return read


def test_no_cache_is_explained_without_earlier_builds() -> None:
    assert read_for(build(3, ignore_cache=True), build(2), build(1)) == []


def test_the_latest_equal_step_is_enough() -> None:
    builds = [build(4, key="a"), build(3, key="b"), build(2, key="a"), build(1, key="a")]
    assert read_for(*builds) == ["3", "2"]


def test_a_new_step_is_looked_for_in_all_builds() -> None:
    assert read_for(build(3, key="c"), build(2, key="b"), build(1, key="a")) == ["2", "1"]
