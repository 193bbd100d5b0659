"""Sets of characters."""

import unicodedata
from functools import cache

Ranges = tuple[tuple[int, int], ...]

_DIGIT: Ranges = ((48, 57),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Ranges = ((9, 10), (12, 13), (32, 32))
PERL = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
POSIX: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": _DIGIT,
    "graph": ((33, 126),),
    "lower": ((97, 122),),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": ((65, 90),),
    "word": _WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
SCRIPTS = frozenset(
    [
        "Arabic",
        "Armenian",
        "Bengali",
        "Cyrillic",
        "Devanagari",
        "Ethiopic",
        "Georgian",
        "Greek",
        "Gujarati",
        "Hangul",
        "Hebrew",
        "Hiragana",
        "Kannada",
        "Katakana",
        "Khmer",
        "Lao",
        "Latin",
        "Malayalam",
        "Mongolian",
        "Myanmar",
        "Tamil",
        "Telugu",
        "Thai",
        "Tibetan",
        "Han",
    ]
)
CATEGORIES = frozenset(
    [
        "L",
        "Lu",
        "Ll",
        "Lt",
        "Lm",
        "Lo",
        "M",
        "Mn",
        "Mc",
        "Me",
        "N",
        "Nd",
        "Nl",
        "No",
        "P",
        "Pc",
        "Pd",
        "Ps",
        "Pe",
        "Pi",
        "Pf",
        "Po",
        "S",
        "Sm",
        "Sc",
        "Sk",
        "So",
        "Z",
        "Zs",
        "Zl",
        "Zp",
        "C",
        "Cc",
        "Cf",
        "Cs",
        "Co",
    ]
)


class CharSet:
    """Characters to match: ranges, Unicode classes, and the other way round."""

    __slots__ = ("_known", "folded", "negated", "ranges", "sets", "unicode")

    def __init__(
        self,
        ranges: Ranges = (),
        unicode: tuple[tuple[str, bool], ...] = (),
        sets: "tuple[CharSet, ...]" = (),
        *,
        negated: bool = False,
        folded: bool = False,
    ) -> None:
        self.ranges = ranges
        self.unicode = unicode  # names of classes, and whether they are the other way round
        self.sets = sets
        self.negated = negated
        self.folded = folded
        self._known: dict[str, bool] = {}

    def __contains__(self, char: str) -> bool:
        found = self._known.get(char)
        if found is None:
            forms = {char, *_folds(char)} if self.folded else {char}
            found = any(map(self._has, forms)) is not self.negated
            self._known[char] = found
        return found

    def _has(self, char: str) -> bool:
        code = ord(char)
        return (
            any(low <= code <= high for low, high in self.ranges)
            or any(_in_class(char, name) is not other for name, other in self.unicode)
            or any(char in one for one in self.sets)
        )


@cache
def _folds(char: str) -> tuple[str, ...]:
    forms = {char.lower(), char.upper(), char.casefold(), char.upper().lower()}
    extra = {"k": "\u212a", "s": "\u017f"}.get(char.lower(), "")
    return tuple(form for form in (*forms, *extra) if len(form) == 1)


def _in_class(char: str, name: str) -> bool:
    if name in SCRIPTS:
        wanted = "CJK UNIFIED" if name == "Han" else name.upper()
        return unicodedata.name(char, "").startswith(wanted)
    return unicodedata.category(char).startswith(name)
