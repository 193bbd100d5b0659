"""``--chmod``: octal or symbolic modes.

Symbolic modes follow BSD's setmode(3), as in tonistiigi/dchapes-mode, with umask 0: ``X`` tests
the mode before all changes, a copy (``g=u``) reads the current mode, and ``=`` clears the mode
again for the letters after a copy (``u=gx`` is ``u=x``).
"""

import re
from collections.abc import Iterator

from img.domain.dataclass import dataclass

_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o0007, "a": 0o6777}
_PERMISSIONS = {"r": 0o444, "w": 0o222, "x": 0o111}
_STICKY, _SET_IDS, _EXECUTE, _STANDARD, _EVERYTHING = 0o1000, 0o6000, 0o111, 0o6777, 0o7777
_OTHERS = 0o0007
_MADE = 0o755
_SHIFT = {"u": 6, "g": 3, "o": 0}
_CLAUSE = r"([ugoa]*)((?:[-+=][rwxXstugo]*)+)"
_ACTION = r"([-+=])([rwxXstugo]*)"


class BadFileMode(ValueError):
    """Text that is neither octal up to 07777 nor a symbolic mode."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
        )


@dataclass(frozen=True, slots=True)
class _Step:
    operator: str  # "+" "-", or "X": add for directories and executables
    bits: int


@dataclass(frozen=True, slots=True)
class _CopyStep:
    operator: str  # + - =
    source: str  # u g o
    shifts: tuple[int, ...]  # the target positions


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMode:
    """The parsed value of ``--chmod``."""

    octal: int | None = None
    steps: tuple[_Step | _CopyStep, ...] = ()

    @property
    def of_made_directories(self) -> int:
        """The mode of the parent directories that COPY creates for its destination.

        It is an octal mode without its upper three bits, and 0755 for a symbolic mode (fsutil,
        copy/copy.go, MkdirAll).
        """
        return _MADE if self.octal is None else self.octal & 0o777

    def apply(self, mode: int, is_directory: bool) -> int:
        """Return the permission bits, 0 to 07777, that result from ``mode``."""
        if self.octal is not None:
            return self.octal
        before = mode = mode & _EVERYTHING
        for step in self.steps:
            if isinstance(step, _CopyStep):
                mode = _copied(step, mode)
            elif step.operator == "-":
                mode &= ~step.bits
            elif step.operator == "+" or is_directory or before & _EXECUTE:
                mode |= step.bits
        return mode


def parse_file_mode(text: str) -> FileMode:
    """Return the mode that ``text`` describes. Raises BadFileMode."""
    if text.isdecimal():
        if not re.fullmatch("0*[0-7]{1,4}", text) or len(text) > 22:
            raise BadFileMode(text)
        return FileMode(octal=int(text, 8))
    steps: list[_Step | _CopyStep] = []
    for clause in text.split(","):
        found = re.fullmatch(_CLAUSE, clause)
        if not found:
            raise BadFileMode(text)
        who = 0
        for letter in found.group(1):
            who |= _WHO[letter]
        for operator, permissions in re.findall(_ACTION, found.group(2)):
            steps += _action(who, operator, permissions)
    return FileMode(steps=tuple(steps))


def _action(who: int, operator: str, permissions: str) -> Iterator[_Step | _CopyStep]:
    bits, conditional, cleared = 0, 0, operator != "="
    for letter in permissions:
        if letter in _SHIFT:
            if bits:
                yield from _step(who, operator, bits)
                bits = 0
            if conditional:
                yield _Step("X", (who or _EVERYTHING) & conditional)
                conditional = 0
            yield _CopyStep(operator, letter, _targets(who))
            cleared = True
        elif letter == "X" and operator != "-":
            conditional = _EXECUTE
        elif letter == "t":
            if not who or who & ~_OTHERS:  # "others" have no sticky bit
                who |= _STICKY
                bits |= _STICKY
        elif letter == "s":
            bits |= _SET_IDS if not who or who & ~_OTHERS else 0
        else:
            bits |= _PERMISSIONS[letter.lower()]
    if bits or not cleared:
        yield from _step(who, operator, bits)
    if conditional:
        yield _Step("X", (who or _EVERYTHING) & conditional)


def _step(who: int, operator: str, bits: int) -> Iterator[_Step]:
    if operator == "=":
        yield _Step("-", who or _STANDARD)
    yield _Step("-" if operator == "-" else "+", (who or _EVERYTHING) & bits)


def _targets(who: int) -> tuple[int, ...]:
    return tuple(shift for shift in _SHIFT.values() if not who or who >> shift & 0o7)


def _copied(step: _CopyStep, mode: int) -> int:
    value = mode >> _SHIFT[step.source] & 0o7
    for shift in step.shifts:
        if step.operator != "+":
            mode &= ~((0o7 if step.operator == "=" else value) << shift)
        if step.operator != "-":
            mode |= value << shift
    return mode
