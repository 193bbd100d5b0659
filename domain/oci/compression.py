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


@dataclass(frozen=True, slots=True)
class Compression:
    """An algorithm and its level; None is the default level."""

    algorithm: Algorithm = Algorithm.GZIP
    level: int | None = None  # gzip 0 to 9, zstd 1 to 22

    def __str__(self) -> str:
        return f"{self.algorithm.value}" + ("" if self.level is None else f":{self.level}")


USUAL = Compression()
