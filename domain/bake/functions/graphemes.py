"""Characters as readers see them (Unicode UAX 29, "Grapheme Cluster Boundaries")."""

import unicodedata

_JOINER = "\u200d"
_EXTENDING = {"Mn", "Me", "Mc"}


def graphemes(text: str) -> list[str]:
    """Return the clusters of ``text``."""
    if text.isascii() and "\r" not in text:
        return list(text)
    clusters: list[str] = []
    for char in text:
        if clusters and _joins(clusters[-1], char):
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def _joins(cluster: str, char: str) -> bool:
    last = cluster[-1]
    if last == "\r":
        return char == "\n"
    if last == "\n" or unicodedata.category(last) == "Cc" or unicodedata.category(char) == "Cc":
        return False
    if _extends(char):
        return True
    if last == _JOINER:
        return _pictographic(char)
    if _regional(last) and _regional(char):
        return len(cluster) % 2 == 1
    return _hangul(last, char)


def _extends(char: str) -> bool:
    return (
        char in (_JOINER, "\u200c")
        or unicodedata.category(char) in _EXTENDING
        or "\ufe00" <= char <= "\ufe0f"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _pictographic(char: str) -> bool:
    return char >= "\u2190" and unicodedata.category(char) in ("So", "Cn", "Sm")


def _hangul(last: str, char: str) -> bool:
    def kind(of: str) -> str:
        if "\u1100" <= of <= "\u115f":
            return "L"
        if "\u1160" <= of <= "\u11a7":
            return "V"
        if "\u11a8" <= of <= "\u11ff":
            return "T"
        if "\uac00" <= of <= "\ud7a3":
            return "LV" if (ord(of) - 0xAC00) % 28 == 0 else "LVT"
        return ""

    one, other = kind(last), kind(char)
    return (
        (one == "L" and other in ("L", "V", "LV", "LVT"))
        or (one in ("LV", "V") and other in ("V", "T"))
        or (one in ("LVT", "T") and other == "T")
    )
