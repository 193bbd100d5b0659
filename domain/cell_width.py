"""Widths of texts on terminals, where some characters take two cells and some none."""

# Letters of flags, and what Unicode 16 made wide: terminals draw two cells, where the tables of
# Python before 3.14 say one.
_WIDE = (
    ("\U0001f1e6", "\U0001f1ff"),
    ("\u2630", "\u2637"),
    ("\u268a", "\u268f"),
    ("\u4dc0", "\u4dff"),
    ("\U0001d300", "\U0001d376"),
)


def cell_width(text: str) -> int:
    """Return the number of cells of ``text``, which has no control characters (Unicode UAX 11)."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def padded(text: str, width: int) -> str:
    """Return ``text`` with blanks up to ``width`` cells."""
    return text + " " * (width - cell_width(text))


def cut(text: str, width: int) -> str:
    """Return ``text`` if it has at most ``width`` cells, else its beginning and an ellipsis."""
    if cell_width(text) <= width:
        return text
    room, end = width - 1, 0
    for char in text:
        room -= _cells(char)
        if room < 0:
            break
        end += 1
    return f"{text[:end]}…"


def _cells(char: str) -> int:
    import unicodedata  # few texts need it

    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    if unicodedata.east_asian_width(char) in "WF":
        return 2
    return 2 if any(first <= char <= last for first, last in _WIDE) else 1
