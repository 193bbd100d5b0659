"""The grammar of options that say several things at once: ``key=value,key="a,b"``."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.go.csv_fields import BadCsv, split_csv


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """The fields of one option's value, one line of CSV as Go's encoding/csv reads it.

    Of a key that is there twice the last counts. Keys are told apart by their case; all methods
    raise UsageError with the option's name and the value as it was written.
    """

    option: str  # such as "--output"
    text: str
    values: Mapping[str, str]

    @classmethod
    def parse(cls, option: str, text: str) -> "Attributes":
        """Return the attributes that ``text`` has."""
        try:
            fields = split_csv(text)
        except BadCsv as error:
            raise UsageError(f"invalid {option} {text!r}: {error}") from None
        values = {}
        for field in fields:
            key, equals, value = field.partition("=")
            if not equals:
                raise UsageError(f"invalid {option} {text!r}: {field!r} must be a key=value pair")
            values[key.strip()] = value
        return cls(option=option, text=text, values=values)

    def __getitem__(self, key: str) -> str:
        """Return a value, "" where there is none."""
        return self.values.get(key, "")

    def names(self, key: str) -> tuple[str, ...]:
        """Return a value that is a list, separated by commas; what is empty is left out."""
        return tuple(name for each in self[key].split(",") if (name := each.strip()))

    def flag(self, key: str) -> bool | None:
        """Return yes or no as Go spells them, None where it is not said; ``key=`` is yes."""
        if key not in self.values:
            return None
        value = parse_boolean(self[key] or "true")
        if value is None:
            self.refuse(f"non-bool value specified for {key}")
        return value

    def number(self, key: str, lowest: int, highest: int) -> int | None:
        """Return a whole number, None where it is not said."""
        if not self[key]:
            return None
        try:
            number = int(self[key])
        except ValueError:
            self.refuse(f"non-int value specified for {key}")
        if not lowest <= number <= highest:
            self.refuse(f"{key} must be from {lowest} to {highest}")
        return number

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """Return one of ``choices``, the first where it is not said."""
        value = self[key] or choices[0]
        if value not in choices:
            self.refuse(f"unsupported {key} {value!r}", hint=", ".join(choices))
        return value

    def refuse(self, problem: str, hint: str | None = None) -> NoReturn:
        """Raise what is wrong with this option."""
        raise UsageError(f"invalid {self.option} {self.text!r}: {problem}", hint=hint)
