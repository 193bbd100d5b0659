"""What a template is made of."""

from typing import Any

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """What is printed as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A string, a number, a boolean or nil."""

    value: Any


@dataclass(frozen=True, slots=True)
class Dot:
    """What the template is given, or what ``range`` and ``with`` have put in its place."""


@dataclass(frozen=True, slots=True)
class Variable:
    """``$name``; ``$`` is what the template was given."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function, by name; its arguments are the other operands of the command."""

    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Fields of a value."""

    base: "Operand"
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Commands, each of which is given the value of the one before as its last argument."""

    commands: tuple[tuple["Operand", ...], ...]
    variables: tuple[str, ...] = ()  # that are set to the value
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
