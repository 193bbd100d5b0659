"""Names of stored images, as users type them."""

import re
from collections.abc import Sequence

from img.domain.dataclass import dataclass
from img.domain.digest import DIGITS, Digest
from img.domain.errors import NotFoundError
from img.domain.reference import ImageReference

LEAST_DIGITS = 4  # of a short ID, as in Docker's containerd image store
_MOST_SHOWN = 5  # candidates in a message
_ID = r"(?:(?P<algorithm>sha256|sha384|sha512):)?(?P<digits>[a-f0-9]+)"


class AmbiguousImage(NotFoundError):
    """A short ID that fits several images."""

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

    The ID is the digest of the config; the ID of a multi-platform image is the digest of its index.
    A digest is that of a manifest or an index. A text that can be a name is a name if an image has
    it.
    """

    text: str
    reference: ImageReference | None  # None: it is a full ID or digest
    algorithm: str = ""  # "": any
    digits: str = ""  # hexadecimal; "": it is not an ID

    @classmethod
    def parse(cls, text: str) -> "ImageName":
        """Return the possible meanings of ``text``. Raises InvalidReference."""
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
        """Return ``reference`` as a name, which is never an ID."""
        return cls(text=str(reference), reference=reference)

    @property
    def digest(self) -> Digest | None:
        """The ID or digest if it is complete, else None."""
        return None if self.reference else Digest(self.algorithm or "sha256", self.digits)

    def may_be(self, digest: Digest) -> bool:
        """Return whether ``digest`` is the typed one or begins with it."""
        return (
            bool(self.digits)
            and self.algorithm in ("", digest.algorithm)
            and digest.encoded.startswith(self.digits)
        )
