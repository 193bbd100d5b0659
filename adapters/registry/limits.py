"""How long img waits for a registry, and how much it gives and takes."""

from img.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Values that are right for nearly every registry; tests have less time."""

    connect_s: float = 5.0
    read_s: float = 60.0
    commit_s: float = 300.0  # a registry may check and copy a whole blob before it answers a PUT
    part: int = 64 << 20  # bytes; a blob that is longer goes in several requests
    copies: int = 8  # how often a blob's bytes may be moved until it is whole on the other side
