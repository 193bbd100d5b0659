"""``--verify-base key=FILE``: keys for signatures of base images."""

from collections.abc import Sequence

from img.domain.errors import UsageError
from img.domain.go.csv_fields import BadCsv, split_csv


def parse_verify_base(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of the keys; one of them has to fit. Raises UsageError."""
    found: list[str] = []
    for text in texts:
        try:
            fields = [each.partition("=") for each in split_csv(text)]
        except BadCsv as error:
            raise UsageError(f"invalid --verify-base {text!r}: {error}") from None
        for name, _, value in fields:
            if name.strip() != "key" or not value:
                raise UsageError(f"invalid --verify-base {text!r}", hint="use key=FILE")
            found.append(value)
    return tuple(found)
