"""The closest known name to one that is not known (BuildKit util/suggest)."""

from collections.abc import Iterable

_FURTHEST = 3  # edits; from here on names are taken for unrelated


def did_you_mean(value: str, options: Iterable[str], *, case_sensitive: bool = True) -> str:
    """Return `` (did you mean X?)`` to put behind a message, or nothing.

    Nothing also when ``value`` is one of the options: then it is not the name that is wrong.
    """
    wanted = value if case_sensitive else value.lower()
    best, best_distance = "", _FURTHEST
    for option in options:
        candidate = option if case_sensitive else option.lower()
        if candidate == wanted:
            return ""
        distance = edit_distance(wanted, candidate, best_distance)
        if distance < best_distance:
            best, best_distance = candidate, distance
    if not best:
        return ""
    return f" (did you mean {best if case_sensitive else _in_case_of(value, best)}?)"


def edit_distance(first: str, second: str, limit: int) -> int:
    """Return the Levenshtein distance; ``limit`` where it is at least that."""
    if abs(len(first) - len(second)) >= limit:
        return limit
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(second, 1):
            substituted = diagonal + (left != right)
            diagonal = row[j]
            row[j] = min(substituted, row[j] + 1, row[j - 1] + 1)
        if min(row) >= limit:
            return limit
    return row[-1]


def _in_case_of(written: str, name: str) -> str:
    return name.upper() if written != written.lower() and written == written.upper() else name
