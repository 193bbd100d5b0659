"""Commits of git repositories."""

import re

from img.domain.dataclass import dataclass
from img.domain.errors import ImgError

# A ref with other characters is none for git (git-check-ref-format(1)), or has a meaning in a
# refspec.
_HASH = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_TEXT = re.compile(
    rf"(?P<name>{_HASH})"
    r"(?: (?P<ref>HEAD|refs/(?!.*\.\.)[^\x00-\x20\x7f~^:?*\[\\]+)"
    rf"(?: (?P<tag>{_HASH}))?)?"
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
    tag: str = ""  # the hash of the tag object, if ``ref`` is an annotated tag

    @classmethod
    def parse(cls, text: str) -> "GitCommit":
        """Return the commit of ``HASH``, ``HASH REF`` or ``HASH REF TAG``. Raises InvalidCommit."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise InvalidCommit(text)
        return cls(name=found["name"], ref=found["ref"] or "", tag=found["tag"] or "")

    def has_checksum(self, beginning: str) -> bool:
        """Return whether the hash of the commit, or of its tag object, begins so."""
        return self.name.startswith(beginning) or self.tag.startswith(beginning)

    def __str__(self) -> str:
        return f"{self.name} {self.ref} {self.tag}".rstrip()
