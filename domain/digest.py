"""Digests (image-spec descriptor.md, "Digests")."""

import re
from typing import TYPE_CHECKING

from img.domain.dataclass import dataclass
from img.domain.errors import ImgError

if TYPE_CHECKING:
    import hashlib

DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}
"""How many hexadecimal digits there are, by algorithm."""

_ENCODED = re.compile(r"[a-f0-9]+")
_ANY = r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+"
_LONGEST = 200  # characters; it may be used as a file name


class InvalidDigest(ImgError):
    """A text that is not a digest (image-spec descriptor.md, "Digests")."""

    def __init__(self, text: str) -> None:
        super().__init__(f"invalid digest {text!r}")
        self.text = text


class UnsupportedDigest(ImgError):
    """A digest of an unknown algorithm, which cannot be verified."""

    exit_code = 6

    def __init__(self, digest: "Digest") -> None:
        super().__init__(f"the digest algorithm of {digest} is not supported: {', '.join(DIGITS)}")
        self.digest = digest


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A digest of bytes (image-spec descriptor.md, "Digests"). Raises InvalidDigest.

    Documents may hold digests of unknown algorithms, such as sha256+b64; such blobs are copied,
    never read.
    """

    algorithm: str
    encoded: str  # lower-case hex for known algorithms

    def __post_init__(self) -> None:
        length = DIGITS.get(self.algorithm)
        if length is None:
            valid = len(str(self)) <= _LONGEST and re.fullmatch(_ANY, str(self))
        else:
            valid = len(self.encoded) == length and _ENCODED.fullmatch(self.encoded)
        if not valid:
            raise InvalidDigest(str(self))

    def __hash__(self) -> int:
        # Half of the work of a step on many layers would be hashing both attributes.
        return hash(self.encoded)

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Return the digest in ``algorithm:hex``, of a known algorithm.

        Raises InvalidDigest (go-digest, Validate).
        """
        digest = cls.of_document(text)
        if digest.algorithm not in DIGITS:
            raise InvalidDigest(text)
        return digest

    @classmethod
    def of_document(cls, text: str) -> "Digest":
        """Return a digest from a document, of any algorithm. Raises InvalidDigest."""
        algorithm, colon, encoded = text.partition(":")
        if not colon:
            raise InvalidDigest(text)
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes) -> "Digest":
        """Return the sha256 digest of ``content``."""
        import hashlib

        return cls("sha256", hashlib.sha256(content).hexdigest())

    def of_same(self, content: bytes | bytearray) -> "Digest":
        """Return the digest of ``content`` by the same algorithm. Raises UnsupportedDigest."""
        actual = self.new_hash()
        actual.update(content)
        return Digest(self.algorithm, actual.hexdigest())

    def new_hash(self) -> "hashlib._Hash":
        """Return a new hash object of this algorithm. Raises UnsupportedDigest."""
        if self.algorithm not in DIGITS:
            raise UnsupportedDigest(self)
        import hashlib

        return hashlib.new(self.algorithm)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"
