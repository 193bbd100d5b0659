"""Texts that are meant to do harm: good ones, changed; decided by a random generator alone."""

import random
from collections.abc import Sequence

# What has a meaning somewhere: to Python, Go, a shell, a terminal, a file system, a parser.
ODD = (
    *("", " ", "\t", "\n", "\r", "\r\n", "\x00", "\x1b[2J", "\x07", "\x7f", "\x85", "\u2028"),
    *("\ufeff", "\udcff", "\ud800", "\u202e", "\xe9", "e\u0301", "\u017f", "\u0130", "\u0663"),
    *("\xbd", "\U0001d7d9", "x" * 300, "/", "//", ".", "..", "../../etc/passwd"),
    *("/proc/self/exe", "./-", "-", "--", "---", "~", "a/b", "=", "==", "a=", "=b", ",", ",,"),
    *(":", "::", ";", "|", "&", "@", "#", "%", "%s", "%n", "%00", "$", "$$", "${", "${}", "${A"),
    *("${A:-", "${A:-${B:-${C}}}", "${A%%*}", "${A//a/b}", "$(x)", "'", '"', "`", "\\", "\\\\"),
    *("\\\n", '"a', "'a", '""', '"a""b"', "\\x", "\\u0000", "<<E", "<<-'E'", "*", "**", "**/*"),
    *("?", "[", "]", "[^", "[a-", "[z-a]", "[!a]", "{a,b}", "{", "}", "!", "!!", "0", "00", "-0"),
    *("-1", "+1", "1", "007", "0x10", "0b1", "1_0", "1e9", "1e400", "1.5", ".5", "5."),
    *("2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775807"),
    *("9223372036854775808", "18446744073709551616", "9" * 50, "9" * 5000, "nan", "inf", "-inf"),
    *("true", "false", "TRUE", "t", "0s", "1h", "-5m", "1h1h1h", "9999999h", "10kb", "1PB"),
    *("-1b", "null", "None", "[]", "{}", "[[", '{"a":', "[" * 900, '{"a":' * 900, "{{.}}", "{{"),
    *("}}", "sha256:" + "0" * 64, "sha256:x", "sha512:0", "a:b@sha256:" + "f" * 64),
    *("localhost:99999/x", "http://", "https://u:p@h/x", "http://[::1]:x/", "http://["),
    *("git://h/x#r:d", "file:///etc", "2026-01-01T00:00:00Z", "0001-01-01"),
    *("9999-12-31T23:59:59-23:59", "1e20", "24h", "a b c", "linux/amd64", "linux/arm/v99"),
    *("windows(1.2)/x", "/", "a/b/c/d", "CON", "nul", "::error::x"),
)
_LONGEST = 20_000  # characters; the limits of longer ones are tests of their own


class TextMaker:
    """A generator of texts from valid ``samples``."""

    def __init__(self, rng: random.Random, samples: Sequence[str]) -> None:
        self._rng = rng
        self._samples = samples

    def odd(self) -> str:
        """Return a short text that is hardly ever right."""
        return self._rng.choice(ODD)

    def text(self) -> str:
        """Return a sample, changed in few places or none."""
        rng = self._rng
        made = rng.choice(self._samples)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 6))):
            made = self.changed(made)
        return made[:_LONGEST]

    def changed(self, text: str) -> str:
        """Return ``text`` with one change."""
        rng = self._rng
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((0, 1, 1, 2, 5, 20, len(text))))
        match rng.randrange(10):
            case 0:
                return text[:start] + text[end:]
            case 1:
                return text[:end] + text[start:]
            case 2:
                other = rng.choice(self._samples)
                return text[:start] + other[rng.randrange(len(other) + 1) :]
            case 3:
                return text[:start] + text[start:end] * rng.choice((2, 3, 50)) + text[end:]
            case 4:
                return text[:start] + chr(rng.choice((rng.randrange(128), rng.randrange(0x3000))))
            case 5:
                return self._part_replaced(text)
            case 6:
                return text.swapcase() if rng.random() < 0.5 else text[::-1]
            case _:
                return text[:start] + self.odd() + text[end:]

    def _part_replaced(self, text: str) -> str:
        """Replace what stands between two marks: a value of a list, a part of a path."""
        mark = self._rng.choice(",:/= \n")
        parts = text.split(mark)
        parts[self._rng.randrange(len(parts))] = self.odd()
        return mark.join(parts)
