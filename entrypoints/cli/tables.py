"""Tables, sizes and ages in the formats of img 0.5."""

from collections.abc import Sequence
from itertools import takewhile

_TAB = 8
_PADDING = 1
_BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")


def render_table(rows: Sequence[Sequence[str]]) -> str:
    """Return ``rows`` in columns that are filled with tabs, a line each.

    As Go's tabwriter with minwidth 1, tabwidth 8, padding 1 and padchar tab writes them: a column
    is as wide as the widest cell of a run of rows that have it; what stands last in a row is in no
    column.
    """
    from img.domain.shown_text import shown_in_line

    rows = [[shown_in_line(cell) for cell in row] for row in rows]
    widths = [[0] * (len(row) - 1) for row in rows]
    for at, row in enumerate(rows):
        for column in range(len(row) - 1):
            if not widths[at][column]:
                run = list(takewhile(lambda row: len(row) - 1 > column, rows[at:]))  # noqa: B023
                width = _tab_stop(max(len(row[column]) for row in run))
                for below in range(at, at + len(run)):
                    widths[below][column] = width
    return "".join(_line(row, width) for row, width in zip(rows, widths, strict=True))


def aligned(rows: Sequence[Sequence[str]], *, least: int = 0, gap: int = 2) -> list[str]:
    """Return ``rows`` as lines, in columns that are filled with blanks.

    A column has ``least`` characters at the least, ``gap`` of which stand between two.
    """
    from img.domain.cell_width import cell_width, padded
    from img.domain.shown_text import shown_in_line

    rows = [[shown_in_line(cell) for cell in row] for row in rows]
    widths = [
        max((cell_width(row[column]) + gap for row in rows if len(row) > column + 1), default=0)
        for column in range(max(map(len, rows), default=0))
    ]
    return [
        "".join(
            cell if column == len(row) - 1 else padded(cell, max(widths[column], least))
            for column, cell in enumerate(row)
        )
        + "\n"
        for row in rows
    ]


def fitting(rows: Sequence[Sequence[str]], width: int, spare: Sequence[int]) -> list[str]:
    """Return ``rows`` as ``aligned`` does, without columns that ``width`` cells have no room for.

    ``spare`` are the columns that may be left out, the first one first; other cells stay whole.
    """
    left_out: set[int] = set()
    for column in (*spare, None):
        kept = [[cell for at, cell in enumerate(row) if at not in left_out] for row in rows]
        lines = aligned(kept)
        if column is None or _width(lines) <= width:
            return lines
        left_out.add(column)
    raise AssertionError


def _width(lines: Sequence[str]) -> int:
    from img.domain.cell_width import cell_width

    return max((cell_width(line.rstrip("\n")) for line in lines), default=0)


def bytes_size(size: int) -> str:
    """Return ``size`` in binary units, four digits (docker/go-units BytesSize)."""
    amount, unit = float(size), 0
    while amount >= 1024 and unit < len(_BINARY_UNITS) - 1:
        amount /= 1024
        unit += 1
    return f"{amount:.4g}{_BINARY_UNITS[unit]}"


def human_duration(seconds: float) -> str:
    """Return ``seconds`` as a rounded duration in words (docker/go-units HumanDuration)."""
    minutes, hours = int(seconds / 60), int(seconds / 3600 + 0.5)
    if seconds < 60:
        return _below_a_minute(int(seconds))
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{int(seconds / 3600) // 24 // 365} years"


def _below_a_minute(seconds: int) -> str:
    if seconds < 1:
        return "Less than a second"
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def _tab_stop(length: int) -> int:
    return -(-(length + _PADDING) // _TAB) * _TAB


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell + "\t" * -(-(width - len(cell)) // _TAB)
        for cell, width in zip(row[:-1], widths, strict=True)
    ]
    return "".join(cells) + (row[-1] if row else "") + "\n"
