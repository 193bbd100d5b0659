"""Translation of command lines as docker and podman parse them into the spelling of Typer.

Their parser, pflag, accepts ``--switch=false`` and ``-x=value``; Typer's, click, does not. The
table of foreign options is slow to import, so modules import it where they use it.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError

if TYPE_CHECKING:
    from img.domain.options.foreign import ForeignOption


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """An option without a value: the words that set it to true and to false, "" for no word."""

    on: str
    off: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spellings:
    """The options that a command has, by their spelling."""

    switches: Mapping[str, Switch] = field(default_factory=dict)
    valued: frozenset[str] = frozenset()
    implied: Mapping[str, str] = field(default_factory=dict)  # values that may be left out
    foreign: "Mapping[str, ForeignOption]" = field(default_factory=dict)
    interspersed: bool = True  # options may follow other words

    def respelled(self, words: Sequence[str]) -> list[str]:
        """Return ``words`` for click, with unknown options unchanged. Raises UsageError."""
        return _Reading(self, deque(words)).result()


@dataclass(slots=True)
class _Reading:
    spellings: Spellings
    left: deque[str]
    kept: list[str] = field(default_factory=list)
    set: dict[str, str] = field(default_factory=dict)  # switches: the last value of each counts

    def result(self) -> list[str]:
        while self.left:
            word = self.left.popleft()
            word = self._renamed(word)
            if word == "--" or (word[:1] != "-" and not self.spellings.interspersed):
                self.left.appendleft(word)
                break
            if word[:1] == "-" and len(word) > 1:
                self._option(word)
            else:
                self.kept.append(word)
        return [*filter(None, self.set.values()), *self.kept, *self.left]

    def _renamed(self, word: str) -> str:
        if not self.spellings.foreign:
            return word
        from img.domain.options.foreign import RENAMED

        return RENAMED.get(word, word)

    def _option(self, word: str) -> None:
        name, equals, value = word.partition("=")
        known = self.spellings
        if name in known.foreign:
            self._foreign(name, value, with_value=bool(equals))
        elif name in known.switches:
            self._switch(name, value if equals else "true")
        elif name in known.implied and not equals:
            self.kept.append(f"{name}={known.implied[name]}")
        elif name in known.valued:
            self.kept += [name, value] if equals else [name, *self._next()]
        elif word.startswith("--"):
            self.kept.append(word)
        else:
            self._short_ones(word)

    def _short_ones(self, word: str) -> None:
        """Parse the first of several letters behind one dash; its value may follow directly."""
        name, rest = word[:2], word[2:]
        known = self.spellings
        foreign = known.foreign.get(name)
        if foreign is not None and foreign.takes_value:
            self._foreign(name, rest, with_value=True)
        elif rest and (foreign is not None or name in known.switches):
            self.left.extendleft((f"-{rest}", name))
        else:
            self.kept.append(word)

    def _foreign(self, name: str, value: str, *, with_value: bool) -> None:
        option = self.spellings.foreign[name]
        if option.takes_value and not with_value:
            if not self.left:
                raise UsageError(f"option {name} requires an argument")
            value = self.left.popleft()
        option.check(name, value)
        if option.heard:
            self.set[name] = name

    def _switch(self, name: str, value: str) -> None:
        from img.domain.options.foreign import switched

        switch = self.spellings.switches[name]
        self.set.pop(switch.on, None)
        self.set[switch.on] = switch.on if switched(name, value) else switch.off

    def _next(self) -> list[str]:
        return [self.left.popleft()] if self.left else []
