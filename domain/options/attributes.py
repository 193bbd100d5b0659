"""The grammar of options with several fields: ``key=value,key="a,b"``."""

import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.go.booleans import parse_boolean
from img.domain.go.csv_fields import BadCsv, split_csv

# Of remote caches; also session_token, ghtoken, and the signature in the URL of an account. What
# follows a quotation mark is masked to the end: the value may hold commas.
_KEY = r"(?:token|secret_access_key|[?&]sig)="
_SECRET = rf"""(?ix) ("[^,"]*{_KEY} | {_KEY}(?=[^,]*")).* | ({_KEY})[^,]+"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """The fields of one option's value, one line of CSV as Go's encoding/csv reads it.

    The last value of a repeated key counts. Keys are case-sensitive. All methods raise UsageError
    with the option's name and its value, in which secrets are masked.
    """

    option: str  # such as "--output"
    text: str
    values: Mapping[str, str]

    @classmethod
    def parse(cls, option: str, text: str) -> "Attributes":
        """Return the attributes in ``text``."""
        try:
            fields = split_csv(text)
        except BadCsv as error:
            raise UsageError(f"invalid {option} {masked(text)!r}: {error}") from None
        values = {}
        for field in fields:
            key, equals, value = field.partition("=")
            if not equals:
                shown = masked(text)
                named = repr(field) if shown == text else "each field"
                raise UsageError(f"invalid {option} {shown!r}: {named} must be a key=value pair")
            values[key.strip()] = value
        return cls(option=option, text=text, values=values)

    def __getitem__(self, key: str) -> str:
        """Return the value of ``key``, "" if there is none."""
        return self.values.get(key, "")

    def names(self, key: str) -> tuple[str, ...]:
        """Return the non-empty items of a value that is a list with commas."""
        return tuple(name for each in self[key].split(",") if (name := each.strip()))

    def flag(self, key: str) -> bool | None:
        """Return a boolean in Go's spelling, None if ``key`` is not given; ``key=`` is true."""
        if key not in self.values:
            return None
        value = parse_boolean(self[key] or "true")
        if value is None:
            self.refuse(f"non-bool value specified for {key}")
        return value

    def number(self, key: str, lowest: int, highest: int) -> int | None:
        """Return an integer, None if ``key`` is not given."""
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
        """Return one of ``choices``, the first if ``key`` is not given."""
        value = self[key] or choices[0]
        if value not in choices:
            self.refuse(f"unsupported {key} {value!r}", hint=", ".join(choices))
        return value

    def refuse(self, problem: str, hint: str | None = None) -> NoReturn:
        """Raise UsageError with this option, its value and ``problem``; secrets are masked."""
        raise UsageError(f"invalid {self.option} {masked(self.text)!r}: {problem}", hint=hint)


def masked(text: str) -> str:
    """Return the value of an option without the keys and tokens of remote caches."""
    return re.sub(_SECRET, lambda found: f"{found[1] or found[2]}***", text)
