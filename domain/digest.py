"""The names of bytes."""

import hashlib
import re

from img.domain.dataclass import dataclass
from img.domain.errors import ImgError

DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}
"""How many hexadecimal digits there are, by algorithm."""

_ENCODED = re.compile(r"[a-f0-9]+")


class InvalidDigest(ImgError):
    """Text that is no digest (image-spec descriptor.md, "Digests")."""

    def __init__(self, text: str) -> None:
        super().__init__(f"invalid digest {text!r}")
        self.text = text


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The name of some bytes (image-spec descriptor.md, "Digests"). Raises InvalidDigest."""

    algorithm: str
    encoded: str  # lower-case hex

    def __post_init__(self) -> None:
        length = DIGITS.get(self.algorithm)
        if len(self.encoded) != length or not _ENCODED.fullmatch(self.encoded):
            raise InvalidDigest(f"{self.algorithm}:{self.encoded}")

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Return the digest that ``algorithm:hex`` spells. Raises InvalidDigest."""
        algorithm, colon, encoded = text.partition(":")
        if not colon:
            raise InvalidDigest(text)
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes) -> "Digest":
        """Return the sha256 digest of ``content``."""
        return cls("sha256", hashlib.sha256(content).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"
