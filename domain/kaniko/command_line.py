"""Parsing of kaniko's command lines by the rules of Go's pflag."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.go.quantities import BadQuantity, parse_duration


class Kind(Enum):
    """Kinds of flags, by their values."""

    TEXT = "text"
    TEXTS = "texts"  # repeatable
    LIST = "list"  # repeatable, each value with commas between words
    SWITCH = "switch"  # a value only after "="
    INTEGER = "integer"
    DURATION = "duration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag of kaniko.

    ``says`` is its line in the help. ``ignored`` is the reason why the flag has no effect in img,
    "" for a flag that has one; only a value other than ``default`` gets a notice.
    """

    name: str
    says: str
    kind: Kind = Kind.TEXT
    short: str = ""
    default: str = ""
    ignored: str = ""
    old_name_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The values of the flags of a command line, and its other words."""

    flags: Mapping[str, Flag]
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """Return the last value of a flag, or its default."""
        return self.values.get(name, (self.flags[name].default,))[-1]

    def texts(self, name: str) -> tuple[str, ...]:
        """Return all values of a repeatable flag."""
        return self.values.get(name, ())

    def switch(self, name: str) -> bool:
        """Return the value of a switch."""
        return parse_boolean(self.text(name)) is True

    def has(self, name: str) -> bool:
        """Tell whether the flag was given."""
        return name in self.values

    def notices(self) -> Iterator[str]:
        """Yield one line for each flag that was given and has no effect."""
        for name in self.values:
            flag = self.flags[name]
            if flag.ignored and self.text(name) != flag.default:
                yield f"--{name} has no effect: {flag.ignored}"


def parse(words: Sequence[str], flags: Sequence[Flag]) -> Given:
    """Return the flags in ``words``; "--" ends them. Raises UsageError with pflag's messages."""
    by_name = {flag.name: flag for flag in flags}
    by_short = {flag.short: flag for flag in flags if flag.short}
    values: dict[str, list[str]] = {}
    others: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            others += rest
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            flag = by_name.get(name)
            if flag is None:
                raise UsageError(f"unknown flag: --{name}")
            _store(values, flag, f"--{name}", value if equals else None, rest)
        elif word.startswith("-") and word != "-":
            _shorthands(word, by_short, values, rest)
        else:
            others.append(word)
    found = {name: tuple(each) for name, each in values.items()}
    return Given(flags=by_name, values=found, words=tuple(others))


def _shorthands(
    word: str, flags: Mapping[str, Flag], values: dict[str, list[str]], rest: list[str]
) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = flags.get(letter)
        if flag is None:
            raise UsageError(f"unknown shorthand flag: {letter!r} in {word}")
        value = None
        if letters.startswith("=") or (letters and flag.kind is not Kind.SWITCH):
            value, letters = letters.removeprefix("="), ""
        _store(values, flag, f"-{letter}, --{flag.name}", value, rest)


def _store(
    values: dict[str, list[str]], flag: Flag, shown: str, value: str | None, rest: list[str]
) -> None:
    if value is None:
        if flag.kind is Kind.SWITCH:
            value = "true"
        elif rest:
            value = rest.pop(0)
        else:
            raise UsageError(f"flag needs an argument: {shown.partition(',')[0]}")
    _check(flag, shown, value)
    found = values.setdefault(flag.old_name_of or flag.name, [])
    found += value.split(",") if flag.kind is Kind.LIST else [value]


def _check(flag: Flag, shown: str, value: str) -> None:
    bad = f'invalid argument "{value}" for "{shown}" flag'
    match flag.kind:
        case Kind.SWITCH if parse_boolean(value) is None:
            raise UsageError(f"{bad}: it is not a boolean", hint="use true or false")
        case Kind.INTEGER:
            try:
                int(value)
            except ValueError:
                raise UsageError(f"{bad}: it is not a number") from None
        case Kind.DURATION:
            try:
                parse_duration(value)
            except BadQuantity as error:
                raise UsageError(f"{bad}: {error}") from None
