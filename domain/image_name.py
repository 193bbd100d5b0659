"""What users type for an image that is stored here."""

import re
from collections.abc import Sequence

from img.domain.dataclass import dataclass
from img.domain.digest import DIGITS, Digest
from img.domain.errors import NotFoundError
from img.domain.reference import ImageReference

LEAST_DIGITS = 4  # of an ID that is cut short; as containerd's image store in Docker has it
_MOST_SHOWN = 5  # candidates in a message
_ID = r"(?:(?P<algorithm>sha256|sha384|sha512):)?(?P<digits>[a-f0-9]+)"


class AmbiguousImage(NotFoundError):
    """The beginning of an ID that is too short to tell which image is meant."""

    def __init__(self, text: str, candidates: Sequence[str]) -> None:
        shown = ", ".join(candidates[:_MOST_SHOWN])
        more = len(candidates) - _MOST_SHOWN
        super().__init__(
            f'"{text}" names no image, and as the beginning of an ID it is too short: '
            + (f"{shown} and {more} more" if more > 0 else shown),
            hint=f"give more of the ID, {LEAST_DIGITS} digits at least",
        )
        self.text = text
        self.candidates = tuple(candidates)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageName:
    """A name, the ID of an image, a digest, or the beginning of an ID or digest.

    The ID is the digest of the config; that of an image of several platforms is the digest of
    its index. A digest is that of a manifest or an index. A text that may be a name is one if an
    image has that name.
    """

    text: str
    reference: ImageReference | None  # None: it is an ID or a digest in full
    algorithm: str = ""  # "": any
    digits: str = ""  # hexadecimal; "": it is no ID

    @classmethod
    def parse(cls, text: str) -> "ImageName":
        """Return what ``text`` may mean. Raises InvalidReference."""
        found = re.fullmatch(_ID, text)
        if found is None:
            return cls(text=text, reference=ImageReference.parse(text))
        algorithm, digits = found["algorithm"] or "", found["digits"]
        full = len(digits) == DIGITS[algorithm or "sha256"]
        return cls(
            text=text,
            reference=None if full else ImageReference.parse(text),
            algorithm=algorithm,
            digits=digits,
        )

    @classmethod
    def of(cls, reference: ImageReference) -> "ImageName":
        """Return the name that is ``reference`` and can be nothing else."""
        return cls(text=str(reference), reference=reference)

    @property
    def digest(self) -> Digest | None:
        """The ID or digest, unless it is cut short."""
        return None if self.reference else Digest(self.algorithm or "sha256", self.digits)

    def may_be(self, digest: Digest) -> bool:
        """Tell whether ``digest`` is, or begins with, what was typed."""
        return (
            bool(self.digits)
            and self.algorithm in ("", digest.algorithm)
            and digest.encoded.startswith(self.digits)
        )
