"""Tables, sizes and ages."""

import pytest

from img.entrypoints.cli.tables import aligned, bytes_size, fitting, human_duration, render_table


def test_columns_are_filled_with_tabs_to_multiples_of_eight() -> None:
    table = render_table(
        [("NAME", "SIZE", "DIGEST"), ("jess/img:latest", "1.534KiB", "sha256:1"), ("b", "591B", "")]
    )
    assert table == ("NAME\t\tSIZE\t\tDIGEST\njess/img:latest\t1.534KiB\tsha256:1\nb\t\t591B\t\t\n")


def test_a_cell_that_ends_at_a_tab_stop_is_padded_to_the_next() -> None:
    assert render_table([("12345678", "x"), ("1", "y")]) == "12345678\tx\n1\t\ty\n"
    assert render_table([("1234567", "x"), ("1", "y")]) == "1234567\tx\n1\ty\n"


def test_a_header_alone_is_a_table() -> None:
    assert render_table([("NAME", "SIZE")]) == "NAME\tSIZE\n"


def test_no_rows_are_no_text() -> None:
    assert render_table([]) == ""


def test_a_column_ends_where_a_row_has_it_not() -> None:
    rows = [("a long cell", "x"), ("alone",), ("b", "y")]
    assert render_table(rows) == "a long cell\tx\nalone\nb\ty\n"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (591, "591B"),
        (1023, "1023B"),
        (1024, "1KiB"),
        (1571, "1.534KiB"),
        (1048575, "1024KiB"),
        (374682, "365.9KiB"),
        (1159641170, "1.08GiB"),
        (5 << 40, "5TiB"),
    ],
)
def test_sizes_have_four_digits_and_binary_units(size: int, text: str) -> None:
    assert bytes_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "Less than a second"),
        (0.4, "Less than a second"),
        (1.9, "1 second"),
        (59.9, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (3599, "59 minutes"),
        (3600, "About an hour"),
        (5399, "About an hour"),
        (5400, "2 hours"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (13 * 86400, "13 days"),
        (14 * 86400, "2 weeks"),
        (59 * 86400, "8 weeks"),
        (60 * 86400, "2 months"),
        (729 * 86400, "24 months"),
        (730 * 86400, "2 years"),
    ],
)
def test_ages_are_about_right(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def test_aligned_columns_are_filled_with_blanks() -> None:
    rows = [("NAME", "SIZE", "X"), ("a long name", "1B"), ("b", "", "c\x1b")]

    assert aligned(rows) == [
        "NAME         SIZE  X\n",
        "a long name  1B\n",
        "b                  c\\x1b\n",
    ]
    assert aligned([("A", "B")], least=10, gap=3) == ["A         B\n"]
    assert aligned([]) == []


def test_a_narrow_terminal_gets_fewer_columns_and_whole_names() -> None:
    rows = [
        ("NAME", "SIZE", "CREATED", "DIGEST"),
        ("registry/\u6f22\u5b57", "1MB", "2 days ago", "ab"),
    ]

    assert fitting(rows, 80, spare=(2, 1)) == [
        "NAME           SIZE  CREATED     DIGEST\n",
        "registry/\u6f22\u5b57  1MB   2 days ago  ab\n",
    ]
    assert fitting(rows, 30, spare=(2, 1))[1] == "registry/\u6f22\u5b57  1MB   ab\n"
    for width in (20, 1):
        assert fitting(rows, width, spare=(2, 1))[1] == "registry/\u6f22\u5b57  ab\n"
