"""Statements about images (in-toto attestation framework, spec/v1/statement.md)."""

import json
import re
from collections.abc import Sequence

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
STATEMENT_MEDIA_TYPE = "application/vnd.in-toto+json"
SPDX_TYPE = "https://spdx.dev/Document"
MOST_BYTES = 40 << 20
"""The limit of BuildKit for one statement."""

_LONE_SURROGATE = r"[\ud800-\udfff]"

Json = dict[str, object]


class StatementTooLarge(UsageError):
    """A statement has more bytes than readers accept."""

    def __init__(self, predicate_type: str, size: int) -> None:
        super().__init__(f"the statement {predicate_type} has {size} bytes, {MOST_BYTES} at most")


@dataclass(frozen=True, slots=True)
class Subject:
    """The name and the digest of what a statement is about."""

    name: str
    digest: Digest

    def as_object(self) -> Json:
        """Return the JSON object."""
        return {"name": self.name, "digest": {self.digest.algorithm: self.digest.encoded}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A predicate without its subjects; ``filename`` is the name in outputs that are files."""

    predicate_type: str
    predicate: Json
    filename: str
    inline_only: bool = False

    def encoded(self, subjects: Sequence[Subject]) -> bytes:
        """Return the statement in JSON without blanks. Raises StatementTooLarge."""
        content = go_json(self.document(subjects)).encode()
        if len(content) > MOST_BYTES:
            raise StatementTooLarge(self.predicate_type, len(content))
        return content

    def indented(self, subjects: Sequence[Subject]) -> bytes:
        """Return the statement in JSON for readers of files."""
        return go_json(self.document(subjects), indent=2).encode()

    def document(self, subjects: Sequence[Subject]) -> Json:
        """Return the statement."""
        return {
            "_type": STATEMENT_TYPE,
            "predicateType": self.predicate_type,
            "subject": [each.as_object() for each in subjects],
            "predicate": self.predicate,
        }


def go_json(value: object, indent: int | None = None) -> str:
    """Return ``value`` as Go's encoder writes it: <, > and & are escaped."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return re.sub(_LONE_SURROGATE, "\ufffd", text)
