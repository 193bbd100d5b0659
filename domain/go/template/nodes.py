"""The nodes of a parsed template."""

from typing import Any

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """Text outside of actions."""

    text: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A string, a number, a boolean or nil."""

    value: Any


@dataclass(frozen=True, slots=True)
class Dot:
    """The value of the template, or the one that ``range`` or ``with`` sets."""


@dataclass(frozen=True, slots=True)
class Variable:
    """``$name``; ``$`` is the value of the template."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function; its arguments are the other operands of the command."""

    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Fields of a value."""

    base: "Operand"
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Commands; the value of each is the last argument of the next one."""

    commands: tuple[tuple["Operand", ...], ...]
    variables: tuple[str, ...] = ()  # that get the value
    declares: bool = False  # ":=", not "="


Operand = Constant | Dot | Variable | Call | Chain | Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """``if``, ``with`` or ``range``."""

    word: str
    pipeline: Pipeline
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class Jump:
    """``break`` or ``continue``."""

    word: str


Node = Text | Pipeline | Branch | Jump
