"""Numbers in headers, as text."""

_MOST_DIGITS = 18  # all of them fit into int64


def parse_count(text: str) -> int | None:
    """Return the number that ``text`` is, None unless it is one to 18 ASCII digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
