"""Opens each remote cache with the client for its kind."""

import threading
from collections.abc import Mapping

from img.application.ports.remote_cache import RemoteCache, RemoteCaches
from img.domain.options.remote_cache import ActionsCache, RemotePlace


class OpenedRemoteCaches(RemoteCaches):
    """Remote caches by their place; each is opened once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._opened: list[tuple[RemotePlace, RemoteCache]] = []
        self._lock = threading.Lock()

    def open(self, place: RemotePlace) -> RemoteCache:
        with self._lock:
            for known, cache in self._opened:
                if known == place:
                    return cache
            cache = self._new(place)
            self._opened.append((place, cache))
            return cache

    def _new(self, place: RemotePlace) -> RemoteCache:
        if isinstance(place, ActionsCache):
            from img.adapters.remote_cache.actions import ActionsRemoteCache

            return ActionsRemoteCache(place)
        from img.adapters.remote_cache.object_store import ObjectStoreRemoteCache

        return ObjectStoreRemoteCache(place, self._environment)
