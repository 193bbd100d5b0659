"""Caches as documents."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.digest import Digest
from img.domain.graph.exported_cache import (
    ExportedCache,
    ExportedMount,
    ExportedRecord,
    cache_in,
    cache_object,
    decode_cache,
    encode_cache,
)
from img.domain.oci.chain import DiffID
from img.domain.oci.fields import InvalidDocument

digests = st.binary(max_size=4).map(Digest.of)
layers = digests.map(DiffID)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
records = st.builds(
    ExportedRecord,
    keys=st.lists(digests, min_size=1, max_size=3).map(tuple),
    diff_id=st.none() | layers,
    created=st.datetimes(timezones=st.just(UTC)),
    description=texts,
    made_from=st.lists(st.tuples(digests, digests), max_size=3).map(tuple),
)
mounts = st.builds(ExportedMount, name=texts.filter(bool), diff_id=layers)
caches = st.builds(
    ExportedCache,
    records=st.lists(records, max_size=3).map(tuple),
    mounts=st.lists(mounts, max_size=2).map(tuple),
    diff_ids=st.lists(layers, max_size=3).map(tuple),
    variant=texts,
)
NOW = datetime(2024, 1, 2, tzinfo=UTC)
_RECORD = {"keys": [], "created": NOW.isoformat()}


@given(caches)
def test_what_was_written_is_read(cache: ExportedCache) -> None:
    assert decode_cache(encode_cache(cache)) == cache
    assert cache_in(json.loads(json.dumps(cache_object(cache)))) == cache


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": 2}, "2 is not supported"),
        ({"records": [{"keys": [], "created": "yesterday"}]}, "is no time"),
        ({"records": [{"keys": ["x"], "created": NOW.isoformat()}]}, "invalid digest"),
        ({"records": {}}, "must be a list"),
        ({"mounts": [{"name": "x"}]}, "diffId"),
        ({"inputs": [{"key": "x"}]}, "invalid digest"),
        ({"records": [_RECORD | {"madeFrom": [0]}]}, "must be a number from"),
        ({"records": [_RECORD | {"madeFrom": ["0"]}]}, "must be a number from"),
    ],
)
def test_what_is_no_cache_is_refused(change: dict[str, object], problem: str) -> None:
    document = cache_object(ExportedCache()) | change

    with pytest.raises(InvalidDocument, match=problem):
        cache_in(document)
