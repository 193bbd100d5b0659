"""Cache keys to layers."""

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
    """What a vertex of that key once gave: a layer, or nothing (``layer`` is None)."""

    layer: Layer | None
    created: datetime  # UTC
    description: str = ""  # such as "RUN make", for `img du`
    # Without it no definition key finds the record.
    made_from: Provenance = field(default_factory=dict, hash=False)
    used: datetime | None = None  # when it was last found, UTC; None: not since it was made
    uses: int = 0  # how often that was noted

    @property
    def last_used(self) -> datetime:
        """When it was last found, or made."""
        return self.used or self.created

    @property
    def alias_of(self) -> Digest | None:
        """The key that an alias stands for, None for a result.

        An alias is stored as a record without a layer, whose description is that key.
        """
        if self.layer is not None:
            return None
        try:
            return Digest.parse(self.description)
        except InvalidDigest:
            return None


class CacheStore(Protocol):
    """Results by cache key; safe for several processes. Losing records only costs time."""

    @abstractmethod
    def get(self, key: Digest) -> CacheRecord | None:
        """Return the record of ``key``, None where there is none."""

    @abstractmethod
    def put(self, records: Sequence[tuple[Digest, CacheRecord]]) -> None:
        """Store ``records``, all or none. A key that exists is replaced.

        A loss of power may undo it, a crash of img may not.
        """

    def get_alias(self, alias: Digest) -> CacheRecord | None:
        """Return the record of ``alias``, whose ``alias_of`` is a key; None where there is none."""
        record = self.get(alias)
        return record if record is not None and record.alias_of is not None else None

    def put_alias(self, alias: Digest, key: Digest, now: datetime) -> None:
        """Store that ``alias`` stands for ``key``, which need not have a record.

        Promises what ``put`` does.
        """
        record = CacheRecord(layer=None, created=now, description=str(key))
        self.put([(alias, record)])

    @abstractmethod
    def touch(self, keys: Sequence[Digest], now: datetime) -> None:
        """Note that the records were found; keys that are not there are no error."""

    @abstractmethod
    def records(self) -> Iterator[tuple[Digest, CacheRecord]]:
        """Yield all records, oldest first."""

    @abstractmethod
    def remove(self, keys: Sequence[Digest]) -> None:
        """Forget ``keys``; those that are not there are no error."""
