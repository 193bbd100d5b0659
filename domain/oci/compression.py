"""Compression of layers."""

from enum import Enum

from img.domain.dataclass import dataclass
from img.domain.oci import media_types


class Algorithm(Enum):
    """A compression algorithm, by BuildKit's names."""

    GZIP = "gzip"
    ZSTD = "zstd"
    NONE = "uncompressed"

    @property
    def media_type(self) -> str:
        """The OCI media type of layers with this compression."""
        return {
            Algorithm.GZIP: media_types.OCI_LAYER_GZIP,
            Algorithm.ZSTD: media_types.OCI_LAYER_ZSTD,
            Algorithm.NONE: media_types.OCI_LAYER,
        }[self]

    @property
    def has_members(self) -> bool:
        """Return whether layers consist of members (docs/layer-members.md).

        zstd finds repetitions within megabytes: in frames of 4 MB a layer is up to 40 % larger.
        """
        return self is Algorithm.GZIP


@dataclass(frozen=True, slots=True)
class Compression:
    """An algorithm and its level; None is the default level."""

    algorithm: Algorithm = Algorithm.GZIP
    level: int | None = None  # gzip 0 to 9, zstd 1 to 22

    def __str__(self) -> str:
        return f"{self.algorithm.value}" + ("" if self.level is None else f":{self.level}")


USUAL = Compression()
