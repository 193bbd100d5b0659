"""What vertices come to."""

from datetime import datetime

from img.application.ports.build_context import BuildContext
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.chain import ChainID, Layer, chain_id_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Layers on one another, lowest first: what most vertices come to.

    ``key`` is the definition key, and ``found_by`` all keys that find what the vertex added, if
    they were asked for. ``own`` is the layer the vertex itself added, None if it added none, and
    ``created`` when that was made.
    """

    key: Digest
    found_by: tuple[Digest, ...] = ()
    layers: tuple[Layer, ...] = ()
    own: Layer | None = None
    created: datetime | None = None

    @property
    def chain_id(self) -> ChainID | None:
        return chain_id_of(layer.diff_id for layer in self.layers)

    @property
    def content(self) -> Digest:
        """What the stack holds, whatever it was made by."""
        return self.chain_id or Digest.of(b"scratch")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFiles:
    """The files of a build context; they have no key, only contents."""

    context: BuildContext


Result = Stack | ContextFiles
"""What a vertex comes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came from the network, or, ``cached``, was here and is still the same."""

    result: Result
    cached: bool
