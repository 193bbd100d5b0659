"""Results that exist already."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.cache_store.memory import MemoryCacheStore
from img.application.ports.cache_store import CacheRecord
from img.application.solver.lookup import Lookup
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.descriptor import Descriptor

KEY, OTHER = Digest.of(b"key"), Digest.of(b"other key")
NOW = datetime(2024, 1, 1, tzinfo=UTC)
BLOB = Descriptor(media_type=media_types.OCI_LAYER_GZIP, digest=Digest.of(b"layer"), size=5)
RECORD = CacheRecord(layer=Layer(DiffID(Digest.of(b"tar")), BLOB), created=NOW)


def a_lookup(*blobs: bytes) -> Lookup:
    return Lookup(cache=MemoryCacheStore(), blobs=MemoryBlobStore(*blobs))


def test_a_result_is_found_by_each_of_its_keys() -> None:
    lookup = a_lookup(b"layer")

    lookup.remember(RECORD, KEY, OTHER, KEY)

    assert lookup(KEY) == lookup(OTHER) == RECORD


def test_an_unknown_key_finds_nothing() -> None:
    assert a_lookup()(KEY) is None


def test_a_result_whose_blob_is_gone_is_none() -> None:
    lookup = a_lookup()

    lookup.remember(RECORD, KEY)

    assert lookup(KEY) is None


def test_a_result_whose_blob_lost_its_end_is_none() -> None:
    lookup = a_lookup()
    lookup.remember(RECORD, KEY)
    blobs = lookup.blobs
    assert isinstance(blobs, MemoryBlobStore)
    blobs._blobs[BLOB.digest] = b"lay"

    assert lookup(KEY) is None


def test_a_result_without_a_layer_needs_no_blob() -> None:
    lookup = a_lookup()
    nothing = CacheRecord(layer=None, created=NOW)

    lookup.remember(nothing, KEY)

    assert lookup(KEY) == nothing


def test_a_definition_key_finds_what_was_made_from_the_same_alone() -> None:
    lookup = a_lookup(b"layer")
    made = replace(RECORD, made_from={OTHER: Digest.of(b"1"), KEY: Digest.of(b"2")})

    lookup.remember(made, Digest.of(b"content"), definition=KEY)

    assert lookup.by_definition(KEY, {OTHER: Digest.of(b"1")}) == made
    assert lookup.by_definition(KEY, {OTHER: Digest.of(b"2")}) is None
    assert lookup.by_definition(KEY, {Digest.of(b"another"): Digest.of(b"1")}) is None
    assert lookup(Digest.of(b"content")) == RECORD


def test_use_is_noted_once_a_minute_unless_it_is_to_be_noted_again() -> None:
    lookup = a_lookup(b"layer")
    lookup.remember(RECORD, KEY)

    for seconds, again in ((30, False), (61, False), (90, False), (91, True), (92, True)):
        if seconds != 92:  # what was not found since is not noted
            lookup(KEY)
        lookup.note_used(NOW + timedelta(seconds=seconds), again=again)

    found = lookup(KEY)
    assert found is not None
    assert (found.used, found.uses) == (NOW + timedelta(seconds=91), 2)


def test_an_alias_leads_to_its_key_and_to_nothing_else() -> None:
    lookup = a_lookup(b"layer")
    lookup.remember(RECORD, KEY)

    lookup.remember_alias(OTHER, KEY, NOW)

    assert lookup.definition_of(OTHER) == KEY
    assert lookup.definition_of(KEY) is None
    assert lookup.definition_of(Digest.of(b"unknown")) is None
