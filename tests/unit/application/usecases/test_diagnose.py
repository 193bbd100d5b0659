"""Choices for the findings about a host."""

from pathlib import Path

import pytest

from img.adapters.host_survey.memory import MemorySurvey
from img.application.ports.host_survey import Finding
from img.application.usecases.diagnose import GIVES, Diagnose, Diagnosis

YES = Finding(works=True, detail="seen")
NO = Finding(works=False, detail="refused", remedy="ask for it")


def diagnosis(*working: str) -> Diagnosis:
    names = ("namespaces", "id ranges", "overlay", "chroot", "ptrace", "proot")
    found = {name: YES if name in working else NO for name in names}
    return Diagnose(survey=MemorySurvey(found))(Path("/state"))


@pytest.mark.parametrize(
    ("working", "executor", "snapshotter"),
    [
        (("namespaces", "overlay", "chroot", "ptrace", "proot"), "unshare", "overlay"),
        (("namespaces",), "unshare", "naive"),
        (("chroot", "overlay", "ptrace", "proot"), "chroot", "naive"),
        (("ptrace", "proot"), "proot", "naive"),
        (("ptrace",), "", "naive"),
        (("proot",), "", "naive"),
        ((), "", "naive"),
    ],
)
def test_the_best_that_works_is_chosen(
    working: tuple[str, ...], executor: str, snapshotter: str
) -> None:
    found = diagnosis(*working)

    assert (found.executor, found.snapshotter) == (executor, snapshotter)


@pytest.mark.parametrize(
    ("working", "emulation", "reasons"),
    [
        (("namespaces", "id ranges", "overlay"), "", ()),
        (("namespaces", "overlay"), "full", ("id ranges: refused",)),
        (("namespaces", "id ranges"), "", ("overlay: refused",)),
        (("namespaces",), "full", ("id ranges: refused", "overlay: refused")),
        (("chroot",), "", ("namespaces: refused",)),
        ((), "", ("namespaces: refused",)),
    ],
)
def test_nothing_slower_is_chosen_without_a_reason(
    working: tuple[str, ...], emulation: str, reasons: tuple[str, ...]
) -> None:
    found = diagnosis(*working)

    assert (found.emulation, found.reasons) == (emulation, reasons)


def test_every_finding_says_what_it_gives_and_what_would_help() -> None:
    (first, *_) = diagnosis().checked

    assert first.name == "namespaces"
    assert first.gives == GIVES["namespaces"]
    assert first.finding.remedy == "ask for it"


def test_what_is_unknown_gives_nothing() -> None:
    found = Diagnose(survey=MemorySurvey({"weather": YES}))(Path("/state"))

    assert found.checked[0].gives == ""
