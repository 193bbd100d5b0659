"""Timeouts and size limits for requests to registries."""

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Values that suit nearly every registry; tests use shorter times."""

    connect_s: float = 5.0
    read_s: float = 60.0
    commit_s: float = 300.0  # a registry may check and copy a whole blob before it answers a PUT
    part: int = 64 << 20  # bytes; a longer blob is sent in several requests
    copies: int = 8  # how often a blob's bytes may be sent in total
