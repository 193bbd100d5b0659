"""Commits of git repositories."""

import re

from img.domain.dataclass import dataclass
from img.domain.errors import ImgError

# A ref with other characters is none for git (git-check-ref-format(1)), or has a meaning in a
# refspec.
_TEXT = re.compile(
    r"(?P<name>[0-9a-f]{40}(?:[0-9a-f]{24})?)"
    r"(?: (?P<ref>HEAD|refs/(?!.*\.\.)[^\x00-\x20\x7f~^:?*\[\\]+))?"
)


class InvalidCommit(ImgError):
    """Text that names no commit."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is no commit")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCommit:
    """A commit, and the full name of the ref that points to it, "" if it was given by its hash."""

    name: str  # hex
    ref: str = ""

    @classmethod
    def parse(cls, text: str) -> "GitCommit":
        """Return the commit of ``HASH`` or ``HASH REF``. Raises InvalidCommit."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise InvalidCommit(text)
        return cls(name=found["name"], ref=found["ref"] or "")

    def __str__(self) -> str:
        return f"{self.name} {self.ref}".rstrip()
