"""Caches in the cache service of GitHub Actions (BuildKit, cache/remotecache/gha)."""

import io
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from img.adapters.remote_cache.actions_client import ActionsClient, LinkExpired
from img.adapters.remote_cache.actions_services import (
    ActionsService,
    ActionsServiceV1,
    ActionsServiceV2,
    Entry,
)
from img.adapters.remote_cache.resuming_stream import BrokenTransfer, ResumingStream
from img.application.cancellation import pause
from img.application.ports.remote_cache import (
    RemoteBlobNotFound,
    RemoteCache,
    RemoteCacheBusy,
    RemoteCacheError,
)
from img.domain.actions_cache import (
    InvalidActionsToken,
    blob_key,
    index_key,
    index_number,
    scopes_of,
)
from img.domain.digest import Digest
from img.domain.json_text import MOST_BYTES
from img.domain.oci.descriptor import Descriptor
from img.domain.options.remote_cache import ActionsCache

_TAKEN_TRIES = 8  # numbers of an index that other jobs take meanwhile
_TAKEN_PAUSE_S = 2.0


class ActionsRemoteCache(RemoteCache):
    """Entries under BuildKit's keys; an index is an entry of its own for each export."""

    def __init__(self, place: ActionsCache, sleep: Callable[[float], None] = pause) -> None:
        """Read the token. Raises RemoteCacheBusy if the job has no access to the service."""
        if place.missing:
            raise RemoteCacheBusy(
                place.missing,
                hint="a workflow step sees them if an action exports them (docs/caching.md)",
            )
        self._place = place
        self._sleep = sleep
        self._client = ActionsClient(place, sleep)
        protocol = ActionsServiceV2 if place.version == 2 else ActionsServiceV1
        self._service: ActionsService = protocol(self._client)
        self._links: dict[Digest, str] = {}
        try:
            self._scopes = scopes_of(place.token, time.time())
        except InvalidActionsToken as error:
            raise RemoteCacheBusy(error.message) from None

    @property
    def parallelism(self) -> int:
        return 4

    def manifests(self) -> Iterator[bytes]:
        for scope in self._scopes:
            if scope.can_read:
                entry = self._service.find(index_key(self._place.scope, scope.name))
                if entry is not None:
                    yield self._document(entry)

    def publish(self, manifest: bytes) -> None:
        scope = next((each for each in self._scopes if each.can_write), None)
        if scope is None:
            raise RemoteCacheBusy(f"{self._place}: the token of this job may not write the cache")
        prefix = index_key(self._place.scope, scope.name)
        number = 0
        for _ in range(_TAKEN_TRIES):
            newest = self._service.find(prefix)
            number = max(number, index_number(newest.key) if newest else 0) + 1
            key = index_key(self._place.scope, scope.name, number)
            if (reserved := self._service.reserve(key)) is not None:
                self._service.upload(key, reserved, io.BytesIO(manifest))
                return
            self._sleep(_TAKEN_PAUSE_S / _TAKEN_TRIES)
        raise RemoteCacheBusy(f"{self._place}: other jobs write this cache at the same time")

    def has(self, digest: Digest) -> bool:
        return self._link(digest) is not None

    def keep(self, digest: Digest) -> bool:
        return self.has(digest)  # a look-up alone keeps an entry: 7 days from its last use

    def add(self, blob: Descriptor, content: BinaryIO) -> bool:
        key = blob_key(blob.digest)
        if (reserved := self._service.reserve(key)) is not None:
            self._service.upload(key, reserved, content)
            return True
        # Taken: there by now, or reserved by a job that is at it, or that was cancelled.
        for _ in range(_TAKEN_TRIES):
            if self.has(blob.digest):
                return True
            self._sleep(_TAKEN_PAUSE_S / _TAKEN_TRIES)
        return False

    def open(self, blob: Descriptor, start: int) -> BinaryIO:
        def chunks(position: int) -> Iterator[bytes]:
            link = self._links.get(blob.digest) or self._link(blob.digest)
            if link is None:
                raise RemoteBlobNotFound(self._place, blob.digest)
            try:
                yield from self._client.chunks(link, position)
            except LinkExpired as error:
                self._links.pop(blob.digest, None)
                raise BrokenTransfer(f"{self._place}: {error.message}") from None

        stream = ResumingStream(chunks, start=start, size=blob.size, sleep=self._sleep)
        return cast(BinaryIO, io.BufferedReader(stream))

    def _link(self, digest: Digest) -> str | None:
        entry = self._service.find(blob_key(digest))
        if entry is None:
            return None
        self._links[digest] = entry.link
        return entry.link

    def _document(self, entry: Entry) -> bytes:
        content = b""
        for chunk in self._client.chunks(entry.link, 0):
            content += chunk
            if len(content) > MOST_BYTES:
                raise RemoteCacheError(f"{self._place}: an index of more than {MOST_BYTES} bytes")
        return content
