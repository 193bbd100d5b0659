"""The choice of records."""

import pytest

from img.domain.errors import UsageError
from img.domain.history.limits import KeepRecords
from img.domain.history.record import BuildRecord, BuiltRecord
from img.domain.history.selection import (
    NoSuchBuild,
    RecordFilter,
    build_ref,
    chosen_id,
    is_selector,
)

IDS = ("aa11", "ab22", "cc33")


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [("", "aa11"), ("^0", "aa11"), ("^", "ab22"), ("^1", "ab22"), ("^2", "cc33"), ("c", "cc33")],
)
def test_a_selector_stands_for_a_build(selector: str, chosen: str) -> None:
    assert chosen_id(selector, IDS) == chosen


def test_a_reference_of_metadata_stands_for_its_build() -> None:
    ids = ("5ca9d1b0f2e7", "6ca9d1b0f2e7")

    assert [chosen_id(build_ref(each), ids) for each in ids] == [*ids]
    assert is_selector(build_ref(ids[0]))
    assert not is_selector("img/img/5ca9")
    assert not is_selector("img/img/not-an-id-at")


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("^3", "no build ^3: there are records of 3 builds"),
        ("d", "no record of a build d"),
        ("a", "a is the start of 2 IDs"),
        ("^x", "^x is no build"),
        ("^9999999", "^9999999 is no build"),
    ],
)
def test_other_selectors_are_refused(selector: str, message: str) -> None:
    with pytest.raises((NoSuchBuild, UsageError)) as caught:
        chosen_id(selector, IDS)

    assert caught.value.message == message


def test_without_a_record_there_is_nothing_to_choose() -> None:
    with pytest.raises(NoSuchBuild, match="no build is recorded yet"):
        chosen_id("", ())


def test_words_that_look_like_ids_are_selectors() -> None:
    assert is_selector("^1")
    assert is_selector("0aff")
    assert not is_selector("RUN make")
    assert not is_selector("")


@pytest.mark.parametrize(
    ("texts", "matches"),
    [
        ([], True),
        (["status=error"], True),
        (["status=error", "status=running"], True),
        (["status=completed"], False),
        (["name=app"], True),
        (["name=app", "context=/else"], False),
        (["command=bake"], True),
        (["command=b"], False),
        (["id=0a"], True),
    ],
)
def test_filters_have_to_be_met(texts: list[str], matches: bool) -> None:
    image = BuiltRecord(target="", digest="d", names=("app:1",))
    record = BuildRecord(
        id="0a1", started=1, status="error", command="bake", images=(image,), options={}
    )

    assert RecordFilter.parse(texts).matches(record) is matches


@pytest.mark.parametrize("text", ["status=ok", "colour=red", "app"])
def test_unknown_filters_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        RecordFilter.parse([text])


def test_records_beyond_number_age_and_size_are_superfluous() -> None:
    records = [("a", 100.0, 10), ("b", 90.0, 10), ("c", 50.0, 10)]

    assert KeepRecords().superfluous(records, 100) == []
    assert KeepRecords(count=1).superfluous(records, 100) == ["b", "c"]
    assert KeepRecords(seconds=20).superfluous(records, 100) == ["c"]
    assert KeepRecords(size=25).superfluous(records, 100) == ["c"]
    assert KeepRecords(size=1).superfluous(records, 100) == ["b", "c"]
