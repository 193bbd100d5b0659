"""One line of comma-separated values, as Go's encoding/csv reads it (mounts, options)."""


class BadCsv(ValueError):
    """A misplaced quote."""


def split_csv(text: str) -> tuple[str, ...]:
    """Return the fields of ``text``; ``"a,b"`` is one, ``""`` in it is a quote. Raises BadCsv."""
    text = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if not text:
        return ()
    fields: list[str] = []
    at = 0
    while True:
        field, at = _quoted(text, at + 1) if text[at : at + 1] == '"' else _bare(text, at)
        fields.append(field)
        if at >= len(text):
            return tuple(fields)
        at += 1  # the comma


def _bare(text: str, at: int) -> tuple[str, int]:
    end = text.find(",", at)
    end = len(text) if end < 0 else end
    quote = text.find('"', at, end)
    if quote >= 0:
        raise BadCsv(
            f'parse error on line 1, column {_column(text, quote)}: bare " in non-quoted-field'
        )
    return text[at:end], end


def _quoted(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while (quote := text.find('"', at)) >= 0:
        parts.append(text[at:quote])
        following = text[quote + 1 : quote + 2]
        if following != '"':
            if following not in ("", ","):
                raise _misplaced(text, quote)
            return "".join(parts), quote + 1
        parts.append('"')
        at = quote + 2
    raise _misplaced(text, at)


def _misplaced(text: str, at: int) -> BadCsv:
    return BadCsv(
        f'parse error on line 1, column {_column(text, at)}: extraneous or missing " in '
        "quoted-field"
    )


def _column(text: str, at: int) -> int:
    """Return the column in bytes, from 1."""
    return len(text[:at].encode(errors="replace")) + 1
