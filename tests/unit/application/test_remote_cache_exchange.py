"""Builds that export results to a remote cache and import them again."""

import json
import re
from datetime import datetime
from threading import Barrier, Lock
from typing import BinaryIO

import pytest

from img.adapters.remote_cache.memory import MemoryRemoteCache
from img.application.ports.remote_cache import (
    RemoteBlobNotFound,
    RemoteCacheBusy,
    RemoteCacheError,
)
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.oci.descriptor import Descriptor
from img.domain.options.cache import parse_cache_source
from img.domain.options.remote_cache import ObjectStoreCache
from tests.support.in_memory_app import InMemoryApp
from tests.unit.application.test_cache_exchange import (
    CACHE,
    DOCKERFILE,
    FILES,
    a_machine,
    commands,
    warnings,
)

PLACE = "type=s3,bucket=b,region=r"
MAX = f"{PLACE},mode=max"
BUSY = RemoteCacheBusy("429 Too Many Requests")
BROKEN = RemoteCacheError("500 Internal Server Error")
GONE = RemoteBlobNotFound(parse_cache_source(PLACE), Digest.of(b""))  # type: ignore[arg-type]
LINEAR = "FROM runtime\nRUN strip\nRUN cc\n"


def with_cache(first: InMemoryApp) -> tuple[InMemoryApp, MemoryRemoteCache]:
    """Return a machine with nothing that has the remote caches of ``first``, and that cache."""
    machine = a_machine(first)
    machine.remote_caches.caches = first.remote_caches.caches
    (cache,) = first.remote_caches.caches.values()
    return machine, cache


def built_with_cache(to: str = MAX) -> tuple[InMemoryApp, Digest]:
    first = a_machine()
    built = first.build(DOCKERFILE, FILES, cache_to=[to])
    return first, built.target.digest


@pytest.mark.parametrize("to", [PLACE, MAX, f"{MAX},mounts=true,compression=zstd"])
def test_a_clean_machine_runs_no_step(to: str) -> None:
    first, _ = built_with_cache(to)
    second, cache = with_cache(first)
    cache.calls.clear()

    again = second.build(DOCKERFILE, FILES, cache_from=[PLACE])

    assert commands(second) == []
    assert second.files_of(again) == {"bin/main": b"prog", "etc/motd": b"hi"}
    assert warnings(second) == []
    assert "keep" not in cache.calls  # reading must not need the right to write


def test_nothing_of_a_stage_that_is_copied_from_is_fetched() -> None:
    first, built = built_with_cache()
    second, cache = with_cache(first)
    cache.calls.clear()

    again = second.build(DOCKERFILE, FILES, cache_from=[PLACE])

    assert again.target.digest == built
    assert cache.calls.count("open") == len(again.images[0].layers) - 1  # one is the base's


def test_a_second_export_uploads_nothing() -> None:
    first, _ = built_with_cache()
    (cache,) = first.remote_caches.caches.values()
    cache.calls.clear()

    first.build(DOCKERFILE, FILES, cache_to=[MAX])

    assert "add" not in cache.calls


def test_the_manifest_is_one_that_buildkit_reads() -> None:
    first, _ = built_with_cache()
    (cache,) = first.remote_caches.caches.values()

    document = json.loads(cache.stored_manifests[0])

    assert document["records"] == []
    assert {layer["blob"] for layer in document["layers"]} == set(map(str, cache.blobs))
    for layer in document["layers"]:
        assert layer["parent"] == -1
        annotations = layer["annotations"]
        assert annotations["size"] == len(cache.blobs[Digest.parse(layer["blob"])])
        assert annotations["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
        assert Digest.parse(annotations["diffID"])
        assert datetime.fromisoformat(annotations["createdAt"]).tzinfo is not None


@pytest.mark.parametrize(
    ("manifests", "warning"),
    [
        ([], "holds no cache that img can read"),
        ([b'{"layers":[],"records":[]}'], "holds no cache that img can read"),
        ([b"{"], "invalid cache manifest: no JSON"),
        ([b'{"layers":[{}],"img.cache.v1":{"version":1}}'], "blob.*missing"),
        ([b'{"layers":[],"img.cache.v1":{"version":2}}'], "2 is not supported"),
    ],
)
def test_a_manifest_that_is_no_cache_of_img_is_a_warning(
    manifests: list[bytes], warning: str
) -> None:
    first, _ = built_with_cache()
    second, cache = with_cache(first)
    cache.stored_manifests = manifests

    second.build(DOCKERFILE, FILES, cache_from=[PLACE])

    assert commands(second) == ["cc", "strip"]
    assert [text for text in warnings(second) if re.search(warning, text)]


def test_an_expired_blob_is_a_miss() -> None:
    first, _ = built_with_cache()
    second, cache = with_cache(first)
    cache.blobs.clear()

    second.build(DOCKERFILE, FILES, cache_from=[PLACE])

    assert commands(second) == ["cc", "strip"]


@pytest.mark.parametrize("failure", [GONE, BUSY, BROKEN])
def test_a_layer_that_is_lost_after_its_record_was_found_is_made(failure: ImgError) -> None:
    first = a_machine()
    first.build(LINEAR, FILES, cache_to=[MAX])
    second, cache = with_cache(first)
    cache.failures["open"] = failure

    second.build(LINEAR, FILES, cache_from=[PLACE])

    assert commands(second) == ["strip", "cc"]
    assert any("its step is done again" in text for text in warnings(second))


def test_a_layer_with_other_bytes_is_made() -> None:
    first, _ = built_with_cache()
    second, cache = with_cache(first)
    for digest, content in cache.blobs.items():
        cache.blobs[digest] = content[::-1]

    again = second.build(DOCKERFILE, FILES, cache_from=[PLACE])

    assert "strip" in commands(second)
    assert second.files_of(again) == {"bin/main": b"prog", "etc/motd": b"hi"}


@pytest.mark.parametrize("method", ["manifests", "has", "open"])
@pytest.mark.parametrize("failure", [BUSY, BROKEN])
def test_a_cache_that_fails_is_asked_once(method: str, failure: ImgError) -> None:
    first = a_machine()
    first.build(LINEAR, FILES, cache_to=[MAX])
    second, cache = with_cache(first)
    cache.failures[method] = failure
    cache.calls.clear()

    second.build(LINEAR, FILES, cache_from=[PLACE])

    assert commands(second) == ["strip", "cc"]
    assert cache.calls.count(method) <= (4 if method == "open" else 1)  # of those at the same time


@pytest.mark.parametrize("failure", [GONE, BROKEN])
def test_a_layer_that_one_cache_does_not_give_comes_from_another(failure: ImgError) -> None:
    first = a_machine()
    first.build(LINEAR, FILES, cache_to=[MAX, f"type=registry,ref={CACHE},mode=max"])
    machine, cache = with_cache(first)
    cache.failures["open"] = failure

    again = machine.build(LINEAR, FILES, cache_from=[PLACE, f"type=registry,ref={CACHE}"])

    assert machine.files_of(again)["bin/main"] == b"prog"
    assert cache.calls.count("open") <= 4  # of those at the same time


def test_an_export_to_a_busy_cache_is_a_warning() -> None:
    machine = a_machine()
    place = parse_cache_source(PLACE)
    assert isinstance(place, ObjectStoreCache)
    cache = machine.remote_caches.open(place)
    cache.failures["add"] = BUSY

    machine.build(DOCKERFILE, FILES, cache_to=[MAX])

    assert warnings(machine) == [BUSY.message]
    assert cache.stored_manifests == []


@pytest.mark.parametrize("method", ["keep", "add", "publish"])
def test_an_export_that_fails_ends_the_build(method: str) -> None:
    machine = a_machine()
    place = parse_cache_source(PLACE)
    assert isinstance(place, ObjectStoreCache)
    machine.remote_caches.open(place).failures[method] = BROKEN

    with pytest.raises(RemoteCacheError, match="500"):
        machine.build(DOCKERFILE, FILES, cache_to=[MAX])

    machine.build(DOCKERFILE, FILES, cache_to=[f"{MAX},ignore-error=true"])
    assert warnings(machine) == [BROKEN.message]


def test_what_a_remote_cache_holds_may_be_left_in_a_registry() -> None:
    first, _ = built_with_cache()
    second, _ = with_cache(first)
    second.build(
        DOCKERFILE, FILES, cache_from=[PLACE], cache_to=[f"type=registry,ref={CACHE},mode=max"]
    )
    third = a_machine(first)

    third.build(DOCKERFILE, FILES, cache_from=[CACHE])

    assert commands(third) == []


def test_a_target_that_cannot_be_opened_is_said_before_any_step() -> None:
    machine = a_machine()
    machine.remote_caches.failure = BROKEN

    with pytest.raises(RemoteCacheError, match="500"):
        machine.build(DOCKERFILE, FILES, cache_to=[MAX])
    assert commands(machine) == []

    machine.build(DOCKERFILE, FILES, cache_to=[f"{MAX},ignore-error=true"], cache_from=[PLACE])
    assert commands(machine) == ["cc", "strip"]
    assert len(warnings(machine)) == 2


class CrowdedCache(MemoryRemoteCache):
    """A cache in which an upload ends when as many as are allowed have begun; it counts them."""

    def __init__(self, parallelism: int) -> None:
        place = parse_cache_source(PLACE)
        assert isinstance(place, ObjectStoreCache)
        super().__init__(place=place, parallelism=parallelism)
        self.most = 0
        self._running = 0
        self._lock = Lock()
        self._all = Barrier(parallelism)

    def add(self, blob: Descriptor, content: BinaryIO) -> bool:
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        self._all.wait(timeout=20)
        try:
            return super().add(blob, content)
        finally:
            with self._lock:
                self._running -= 1


@pytest.mark.parametrize("parallelism", [1, 5, 30])
def test_an_export_of_30_layers_uploads_as_many_at_a_time_as_it_may(parallelism: int) -> None:
    app, cache = InMemoryApp(), CrowdedCache(parallelism)
    app.remote_caches.caches[str(cache.place)] = cache
    files = {f"f{number}": str(number).encode() for number in range(30)}
    steps = "".join(f"COPY {name} /\n" for name in files)

    app.build(f"FROM scratch\n{steps}", files, cache_to=[MAX])

    assert len(cache.blobs) == 30
    assert cache.most == parallelism
