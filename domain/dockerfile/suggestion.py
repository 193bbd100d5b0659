"""Suggestions for misspelt names (BuildKit util/suggest)."""

from collections.abc import Iterable

_FURTHEST = 3  # edits; names that differ more are unrelated


def did_you_mean(value: str, options: Iterable[str], *, case_sensitive: bool = True) -> str:
    """Return `` (did you mean X?)`` for the end of a message, or "".

    Also return "" if ``value`` is one of the options: then the name is not the error.
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


def closest(word: str, options: Iterable[str]) -> str:
    """Return the nearest of ``options`` to ``word``, or the option that begins with it.

    Return "" if none is near, or if several options of its length are equally near. One edit is
    allowed in a word of three or four letters, two below ten letters, else three; two swapped
    letters are one edit.
    """
    letters = word.strip("-")
    limit = 1 if len(letters) < 3 else 2 if len(letters) < 5 else 3 if len(letters) < 10 else 4
    names = list(dict.fromkeys(options))
    distances = {name: _distance(word, name) for name in names}
    near = [name for name in names if distances[name] == min(distances.values()) < limit]
    if len(near) > 1:
        near = [name for name in near if len(name) == len(word)]
    elif not near and len(letters) > 1:
        near = [name for name in names if name.startswith(word)]
    return near[0] if len(near) == 1 else ""


def _distance(first: str, second: str) -> int:
    """Return the number of edits between two words; two swapped letters are one edit."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, 1):
        further = [i]
        for j, right in enumerate(second, 1):
            cost = min(row[j] + 1, further[j - 1] + 1, row[j - 1] + (left != right))
            if i > 1 and j > 1 and left == second[j - 2] and right == first[i - 2]:
                cost = min(cost, before[j - 2] + 1)
            further.append(cost)
        before, row = row, further
    return row[-1]


def edit_distance(first: str, second: str, limit: int) -> int:
    """Return the Levenshtein distance, at most ``limit``."""
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
