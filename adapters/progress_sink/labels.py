"""Texts of progress, in the format of BuildKit's progressui."""

import codecs

_LONGEST = 64 * 1024  # characters of a line; a longer one is split
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def log_time(seconds: float) -> str:
    """Return the time of a line of output: always about five characters."""
    decimals = 3 if seconds < 10 else 2 if seconds < 100 else 1
    return f"{seconds:.{decimals}f}"


def size_text(size: int) -> str:
    """Return ``size`` in decimal units with at most two decimals: ``1.2MB``."""
    amount, unit = float(size), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount /= 1000
        unit += 1
    return f"{amount:.2f}".rstrip("0").rstrip(".") + _UNITS[unit]


def amount_text(current: int, total: int) -> str:
    """Return the amount and the total, as far as they are known."""
    return f"{size_text(current)} / {size_text(total)}" if total else size_text(current)


class LineSplitter:
    """Splits the output of a process into lines, independent of its chunks."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def lines(self, data: bytes) -> list[str]:
        """Return the lines that ``data`` completes."""
        *lines, rest = (self._rest + self._decode(data)).split("\n")
        # Overwritten text is not shown, and need not be kept.
        self._rest = rest[rest.rfind("\r", 0, -1) + 1 :]
        if len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = ""
        return [line.rstrip("\r") for line in lines]

    def unfinished(self) -> str:
        """Return the last line so far, without text that carriage returns overwrite."""
        return self._rest.rstrip("\r")

    def rest(self) -> str:
        """Return the unfinished last line; reset it."""
        rest, self._rest = self._rest + self._decode(b"", final=True), ""
        return rest.rstrip("\r")
