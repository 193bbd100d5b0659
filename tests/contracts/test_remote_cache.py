"""Contract tests of remote caches."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from uuid import uuid4

import pytest

from img.adapters.remote_cache.memory import MemoryRemoteCaches
from img.adapters.remote_cache.opened import OpenedRemoteCaches
from img.application.ports.remote_cache import RemoteCache
from img.domain.options.cache import parse_cache_source
from img.domain.options.remote_cache import ActionsCache, ObjectStoreCache
from img.testing.remote_cache import RemoteCacheContract
from tests.support.servers.actions_server import ActionsServer
from tests.support.servers.object_stores import MORE, object_store


def opened(text: str) -> RemoteCache:
    place = parse_cache_source(text)
    assert isinstance(place, ActionsCache | ObjectStoreCache)
    return OpenedRemoteCaches({}).open(place)


@contextmanager
def in_memory() -> Iterator[RemoteCache]:
    place = parse_cache_source("type=s3,bucket=b,region=r")
    assert isinstance(place, ObjectStoreCache)
    yield MemoryRemoteCaches().open(place)


@contextmanager
def of_actions(version: int) -> Iterator[RemoteCache]:
    with ActionsServer() as server:
        yield opened(server.attributes(version))


KINDS: dict[str, Callable[[], AbstractContextManager[RemoteCache]]] = {
    "memory": in_memory,
    "gha-1": partial(of_actions, 1),
    "gha-2": partial(of_actions, 2),
}


@pytest.fixture(scope="module")
def store() -> Iterator[Callable[[str], RemoteCache]]:
    """Return a function that opens an empty cache in a store, which is started once."""
    attributes: dict[str, str] = {}
    with ExitStack() as started:

        def new(kind: str) -> RemoteCache:
            if kind not in attributes:
                attributes[kind] = started.enter_context(object_store(kind))
            return opened(f"{attributes[kind]},prefix={uuid4().hex}/")

        yield new


@pytest.fixture(params=[*KINDS, "s3", "gs", *MORE])
def cache(
    request: pytest.FixtureRequest, store: Callable[[str], RemoteCache]
) -> Iterator[RemoteCache]:
    if request.param in KINDS:
        with KINDS[request.param]() as found:
            yield found
    else:
        yield store(request.param)


class TestRemoteCache(RemoteCacheContract):
    pass
