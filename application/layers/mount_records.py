"""Records of cache mounts that are kept in a store of a cluster."""

from img.application.ports.cache_store import CacheRecord, CacheStore
from img.application.ports.clock import Clock
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.task import KeptMount
from img.domain.oci.chain import Layer

MOST_LAYERS = 8
"""The number of layers of one cache mount: its files, and changes of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountRecords:
    """The layers of cache mounts by store and name, as a chain of records in the cache."""

    cache: CacheStore
    clock: Clock

    def layers(self, store: str, name: str) -> tuple[Layer, ...]:
        """Return the layers that the store may have, lowest first; () if none are known."""
        found: list[Layer] = []
        for number in range(MOST_LAYERS + 1):
            record = self.cache.get(_key(store, name, number))
            if record is None:
                return ()  # a part of the chain was deleted
            if record.layer is None:
                break
            found.append(record.layer)
        return tuple(found)

    def note(self, store: str, mount: KeptMount) -> None:
        """Record what the store has of the mount. Raises StateError."""
        now, id_ = self.clock.now(), mount.name.partition("\0")[0]
        chain = (*mount.layers[:MOST_LAYERS], None)
        self.cache.put(
            [
                (
                    _key(store, mount.name, number),
                    CacheRecord(layer=layer, created=now, description=f"cache mount {id_}"),
                )
                for number, layer in enumerate(chain)
            ]
        )


def _key(store: str, name: str, number: int) -> Digest:
    text = f"cache mount\0{store}\0{name}\0{number}"
    return Digest.of(text.encode("utf-8", "surrogateescape"))
