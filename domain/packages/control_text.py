"""Texts of fields and paragraphs: dpkg's databases, Python's metadata (deb822, RFC 822)."""

from collections.abc import Iterator, Mapping

Fields = Mapping[str, str]
"""Values by lower-case names; of several fields with one name, the first."""


def paragraphs(text: str) -> Iterator[Fields]:
    """Yield the paragraphs, which blank lines separate; a line with a leading blank continues."""
    fields: dict[str, list[str]] = {}  # lines, as a value may have millions of them
    last: list[str] = []
    for line in _lines(text):
        if not line.strip():
            if fields:
                yield _joined(fields)
            fields, last = {}, []
        elif line[0] in " \t":
            last.append(line.strip())
        else:
            name, found, value = line.partition(":")
            last = [value.strip()]
            if found:
                fields.setdefault(name.lower(), last)
    if fields:
        yield _joined(fields)


def _lines(text: str) -> Iterator[str]:
    at = 0  # not split at once: that takes ten times the memory of short lines
    while (end := text.find("\n", at)) >= 0:
        yield text[at:end].removesuffix("\r")
        at = end + 1
    yield text[at:]


def _joined(fields: Mapping[str, list[str]]) -> Fields:
    return {name: "\n".join(lines) for name, lines in fields.items()}
