"""Results of build steps by cache key."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import Protocol

from img.domain.dataclass import dataclass
from img.domain.digest import Digest, InvalidDigest
from img.domain.graph.provenance import Provenance
from img.domain.oci.chain import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRecord:
    """The result of a step: a layer, or no change (``layer`` is None)."""

    layer: Layer | None
    created: datetime  # UTC
    description: str = ""  # such as "RUN make", for `img du`
    # Contents of the inputs by their keys; records without it are not found by definition keys.
    made_from: Provenance = field(default_factory=dict, hash=False)
    used: datetime | None = None  # the last time it was found, UTC; None: never
    uses: int = 0  # the number of calls of ``touch``

    @property
    def last_used(self) -> datetime:
        """The time when the record was last found, or else created."""
        return self.used or self.created

    @property
    def alias_of(self) -> Digest | None:
        """The key that an alias stands for, None for a result.

        An alias is stored as a record without a layer that has the key as its description.
        """
        if self.layer is not None:
            return None
        try:
            return Digest.parse(self.description)
        except InvalidDigest:
            return None


class CacheStore(Protocol):
    """Results by cache key; several threads and processes may use one store.

    Losing records costs time only.
    """

    @abstractmethod
    def get(self, key: Digest) -> CacheRecord | None:
        """Return the record of ``key``, None if there is none."""

    @abstractmethod
    def put(self, records: Sequence[tuple[Digest, CacheRecord]]) -> None:
        """Store ``records``, in place of older ones with the same keys.

        Atomic: all records are stored or none. They survive a crash of img, but perhaps not a loss
        of power.
        """

    def get_alias(self, alias: Digest) -> CacheRecord | None:
        """Return the record of ``alias`` with its key in ``alias_of``, None if there is none."""
        record = self.get(alias)
        return record if record is not None and record.alias_of is not None else None

    def put_alias(self, alias: Digest, key: Digest, now: datetime) -> None:
        """Store that ``alias`` stands for ``key``, which need not have a record.

        Atomic and durable as ``put`` is.
        """
        record = CacheRecord(layer=None, created=now, description=str(key))
        self.put([(alias, record)])

    @abstractmethod
    def touch(self, keys: Sequence[Digest], now: datetime) -> None:
        """Record that the keys were found at ``now``; unknown keys are ignored."""

    @abstractmethod
    def records(self) -> Iterator[tuple[Digest, CacheRecord]]:
        """Yield all records, oldest first."""

    @abstractmethod
    def remove(self, keys: Sequence[Digest]) -> None:
        """Delete the records of ``keys``; unknown keys are ignored."""
