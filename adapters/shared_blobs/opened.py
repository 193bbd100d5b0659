"""Opens each shared store with the client for its kind."""

import threading
from typing import assert_never

from img.application.ports.registry import Registry
from img.application.ports.remote_cache import RemoteCaches
from img.application.ports.shared_blobs import SharedBlobs, SharedBlobStores
from img.domain.options.cluster_store import (
    BucketStore,
    ClusterStore,
    DirectoryStore,
    RegistryStore,
)


class OpenedSharedBlobStores(SharedBlobStores):
    """Shared stores by their place; each is opened once."""

    def __init__(self, registry: Registry, remotes: RemoteCaches) -> None:
        self._registry = registry
        self._remotes = remotes
        self._opened: dict[str, SharedBlobs] = {}
        self._lock = threading.Lock()

    def open(self, place: ClusterStore) -> SharedBlobs:
        with self._lock:
            if str(place) not in self._opened:
                self._opened[str(place)] = self._new(place)
            return self._opened[str(place)]

    def _new(self, place: ClusterStore) -> SharedBlobs:
        match place:
            case DirectoryStore():
                from img.adapters.shared_blobs.directory import DirectorySharedBlobs

                return DirectorySharedBlobs(place)
            case RegistryStore():
                from img.adapters.shared_blobs.registry import RegistrySharedBlobs

                return RegistrySharedBlobs(place, self._registry)
            case BucketStore():
                from img.adapters.shared_blobs.remote_cache import BucketSharedBlobs

                return BucketSharedBlobs(place, self._remotes.open(place.place))
            case _:
                assert_never(place)
