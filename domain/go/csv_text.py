"""Lines of comma-separated fields, as ``split_csv`` reads them."""

from collections.abc import Iterable


def join_csv(fields: Iterable[str]) -> str:
    """Return the line with these fields, quoted where they need it."""
    return ",".join(_quoted(field) for field in fields)


def _quoted(field: str) -> str:
    if not any(char in field for char in ',"\r\n'):
        return field
    return '"' + field.replace('"', '""') + '"'
