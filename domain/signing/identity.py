"""Identities of signers without a key, as certificates of Fulcio state them."""

import re

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError

_LONGEST = 4096  # characters of one text


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One text, or the texts that contain a match of a regular expression."""

    text: str = ""
    pattern: str = ""

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise UsageError(f"invalid regular expression {self.pattern!r}: {error}") from None

    def __bool__(self) -> bool:
        return bool(self.text or self.pattern)

    def fits(self, found: str) -> bool:
        """Return whether ``found`` is what is wanted. Nothing fits two empty fields."""
        if not self or len(found) > _LONGEST:
            return False
        if self.text and found != self.text:
            return False
        return not self.pattern or re.search(self.pattern, found) is not None

    def __str__(self) -> str:
        return self.text or f"/{self.pattern}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The required signer, such as an email address or a workflow, and its identity provider."""

    subject: Wanted
    issuer: Wanted  # the URL of the identity provider

    def __post_init__(self) -> None:
        if not (self.subject and self.issuer):
            raise UsageError(
                "an identity and its issuer are needed",
                hint="use --certificate-identity and --certificate-oidc-issuer",
            )

    def problem(self, subjects: list[str], issuer: str) -> str:
        """Return why a certificate is of another identity, "" if it is of this one."""
        if not self.issuer.fits(issuer):
            return f"one is by an identity of {_shown(issuer)}, not of {self.issuer}"
        if not any(self.subject.fits(each) for each in subjects):
            return f"one is by {_shown(', '.join(subjects))}, not by {self.subject}"
        return ""


def _shown(text: str) -> str:
    return text[:200] or "nothing"
