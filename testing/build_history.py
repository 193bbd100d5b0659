"""Contract suite of stores of records of builds."""

import pytest

from img.application.ports.build_history import (
    BuildHistory,
    LogPiece,
    RecordInUse,
    RecordNotFound,
)
from img.domain.history.journal import JournalEntry


class BuildHistoryContract:
    """Promises of every BuildHistory.

    Fixtures: ``history``, an empty store.
    """

    def test_entries_and_output_come_back_in_their_order(self, history: BuildHistory) -> None:
        writer = history.begin(1.5)
        entries: list[JournalEntry] = [
            {"e": "asked", "t": 1.5, "name": "\udcff ü"},
            {"e": "ended", "t": 2.0},
        ]
        pieces = [
            LogPiece(0, 1, 0, b"\0\xff" * 40_000),
            LogPiece(7, 2, 1_500, b""),
            LogPiece(0, 1, 1_501, b"end"),
        ]
        for entry in entries:
            writer.note(entry)
        for piece in pieces:
            writer.output(piece)
        writer.close()
        writer.close()

        assert [*history.journal(writer.id)] == entries
        assert [*history.output(writer.id)] == pieces

    def test_a_build_without_output_has_empty_logs(self, history: BuildHistory) -> None:
        writer = history.begin(1)
        writer.close()

        assert [*history.output(writer.id)] == []
        assert [*history.journal(writer.id)] == []

    def test_records_are_listed_with_the_latest_first(self, history: BuildHistory) -> None:
        assert [*history.records()] == []
        writers = [history.begin(started) for started in (20.25, 100.5, 3.0)]

        assert [each.started for each in history.records()] == [100.5, 20.25, 3.0]
        assert all(history.is_running(each.id) for each in writers)
        for writer in writers:
            writer.close()
        assert {each.id for each in history.records()} == {each.id for each in writers}
        assert not any(history.is_running(each.id) for each in writers)

    def test_logs_count_for_the_size(self, history: BuildHistory) -> None:
        writer = history.begin(1)
        writer.output(LogPiece(0, 1, 0, b"a"))
        writer.close()

        assert history.size(writer.id) > 0
        assert history.size("0123456789ab") == 0

    def test_the_journal_of_a_running_build_can_be_read(self, history: BuildHistory) -> None:
        writer = history.begin(1)
        writer.note({"e": "asked", "t": 1})

        assert [*history.journal(writer.id)] == [{"e": "asked", "t": 1}]
        writer.close()

    def test_a_removed_record_is_gone(self, history: BuildHistory) -> None:
        writer, other = history.begin(1), history.begin(2)
        with pytest.raises(RecordInUse):
            history.remove(writer.id)
        writer.close()
        other.close()

        history.remove(writer.id)

        assert [each.id for each in history.records()] == [other.id]
        assert not history.is_running(writer.id)
        for read in (history.journal, history.output, history.remove):
            with pytest.raises(RecordNotFound):
                read(writer.id)

    def test_a_closed_record_takes_nothing_more(self, history: BuildHistory) -> None:
        writer = history.begin(1)
        writer.close()
        writer.note({"e": "late"})
        writer.output(LogPiece(0, 1, 0, b"late"))

        assert [*history.journal(writer.id)] == []
        assert [*history.output(writer.id)] == []
