"""Booleans as Go's strconv.ParseBool reads them."""

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def parse_boolean(text: str) -> bool | None:
    """Return the boolean that ``text`` spells, None if it spells none (Go strconv.ParseBool)."""
    if text in _TRUE:
        return True
    return False if text in _FALSE else None
