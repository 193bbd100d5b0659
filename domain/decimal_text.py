"""Decimal numbers in headers."""

_MOST_DIGITS = 18  # such numbers fit into int64


def parse_count(text: str) -> int | None:
    """Return the number in ``text``, None unless it is one to 18 ASCII digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
