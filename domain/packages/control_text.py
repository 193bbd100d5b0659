"""Texts of fields and paragraphs: dpkg's databases, Python's metadata (deb822, RFC 822)."""

from collections.abc import Iterator, Mapping

Fields = Mapping[str, str]
"""Values by lower-case names; of several fields with one name, the first."""


def paragraphs(text: str) -> Iterator[Fields]:
    """Yield the paragraphs, which blank lines separate; a line with a leading blank continues."""
    fields: dict[str, str] = {}
    last = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[0] in " \t":
            if last:
                fields[last] += f"\n{line.strip()}"
        else:
            name, found, value = line.partition(":")
            last = name.lower() if found and name.lower() not in fields else ""
            if last:
                fields[last] = value.strip()
    if fields:
        yield fields
