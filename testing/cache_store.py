"""Contract suite of cache stores."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from img.application.ports.cache_store import CacheRecord, CacheStore
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.descriptor import Descriptor

A, B, C = (Digest.of(name) for name in (b"a", b"b", b"c"))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LAYER = Layer(
    DiffID(Digest.of(b"tar")),
    Descriptor(media_type=media_types.OCI_LAYER_GZIP, digest=Digest.of(b"gzip"), size=4),
)
RECORD = CacheRecord(layer=LAYER, created=NOON, description="RUN mäke")
MADE = replace(RECORD, made_from={Digest.of(b"root"): Digest.of(b"1"), A: B})
NOTHING = CacheRecord(layer=None, created=NOON + timedelta(microseconds=1))


class CacheStoreContract:
    """Promises of every CacheStore.

    Fixtures: ``store``, an empty store.
    """

    def test_a_record_comes_back_as_it_was(self, store: CacheStore) -> None:
        store.put([(A, RECORD), (B, NOTHING)])
        store.put([(C, MADE)])

        assert store.get(A) == RECORD
        assert store.get(B) == NOTHING
        found = store.get(C)
        assert found == MADE
        assert found is not None and list(found.made_from) == list(MADE.made_from)
        assert store.get(Digest.of(b"absent")) is None

    def test_an_alias_leads_to_a_key_and_is_a_record_without_a_layer(
        self, store: CacheStore
    ) -> None:
        store.put([(B, RECORD)])

        store.put_alias(A, C, NOON)

        found = store.get_alias(A)
        assert found is not None
        assert (found.alias_of, found.last_used) == (C, NOON)
        assert store.get(A) == CacheRecord(layer=None, created=NOON, description=str(C))
        assert store.get_alias(B) is store.get_alias(C) is None
        assert [key for key, record in store.records() if record.alias_of] == [A]

    def test_it_is_noted_when_a_record_was_found_and_how_often(self, store: CacheStore) -> None:
        store.put([(A, RECORD), (B, NOTHING)])

        store.touch([A, C], NOON + timedelta(hours=1))
        store.touch([A], NOON + timedelta(hours=2))
        store.touch([], NOON)

        assert store.get(A) == replace(RECORD, used=NOON + timedelta(hours=2), uses=2)
        assert store.get(B) == NOTHING
        assert store.get(C) is None

    def test_a_later_record_replaces_the_earlier_one(self, store: CacheStore) -> None:
        store.put([(A, RECORD)])
        store.put([(A, NOTHING)])

        assert list(store.records()) == [(A, NOTHING)]

    def test_records_are_listed_oldest_first(self, store: CacheStore) -> None:
        assert list(store.records()) == []

        store.put([(B, NOTHING), (A, RECORD), (C, RECORD)])

        assert list(store.records()) == [(A, RECORD), (C, RECORD), (B, NOTHING)]

    def test_removed_records_are_gone_and_absent_ones_do_not_matter(
        self, store: CacheStore
    ) -> None:
        store.put([(A, RECORD), (B, RECORD), (C, RECORD)])
        store.remove([A, B, A, Digest.of(b"absent")])
        store.remove([])

        assert [key for key, _ in store.records()] == [C]
