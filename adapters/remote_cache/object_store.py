"""Caches in buckets and containers, by the library obstore (extra ``cloud``)."""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from img.adapters.http.interruptible import interruptible
from img.adapters.remote_cache.object_store_client import (
    container_creator,
    is_on,
    open_stores,
)
from img.adapters.remote_cache.resuming_stream import CHUNK, BrokenTransfer, ResumingStream
from img.application.cancellation import pause
from img.application.log import logger
from img.application.ports.remote_cache import (
    RemoteBlobNotFound,
    RemoteCache,
    RemoteCacheBusy,
    RemoteCacheError,
)
from img.domain.digest import Digest
from img.domain.json_text import MOST_BYTES
from img.domain.oci.descriptor import Descriptor
from img.domain.options.remote_cache import ObjectStoreCache

if TYPE_CHECKING:
    pass

log = logger("remote cache")

_PART = 8 << 20  # bytes of one request of an upload
_PARTS_AT_ONCE = 5  # of one blob, as BuildKit
_REASON_LIMIT = 300  # characters
_ADDRESS = re.compile(r"Error performing (\w+) \S+ in .*? - ")
"""The address of a request in a message of obstore, which may be long, and the time it took."""
_NOT_SENT = "error sending request"
# The cause of a failed connection, which obstore shows below its first line.
_CAUSES = (
    (re.compile(r'(?:message|error): "([^"\n]+)"'), "{}"),
    (re.compile(r"InvalidCertificate\(\s*(\w+)"), "invalid certificate: {}"),
    (re.compile(r"source: (TimedOut),"), "no answer in time"),
)
_NO_RANGES = "non-partial response"  # obstore's error for 200 where 206 is right
_BUSY = ("429 Too Many Requests", "503 Service Unavailable", "SlowDown", "ServerBusy")
_REFUSAL = "status code: 4"  # of any kind
_REFUSED = ("401 Unauthorized", "403 Forbidden")
_CREDENTIALS = "the credentials may be missing, or may not have the right to do this"


class MissingCloudExtra(RemoteCacheError):
    """The optional package that object stores need is not installed."""

    def __init__(self, kind: str) -> None:
        # In the message: of a source that cannot be read the message alone is shown.
        super().__init__(f"type={kind} needs the package obstore: pip install 'img-builder[cloud]'")


class _Interruptible:
    """The functions of obstore; they raise StepCanceled once the thread is cancelled."""

    def __init__(self, obstore: object) -> None:
        self._obstore = obstore

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._obstore, name)
        return lambda *args, **kwargs: interruptible(lambda: function(*args, **kwargs), _drop)


class ObjectStoreRemoteCache(RemoteCache):
    """Objects ``<blobs><digest>`` and ``<manifests><name>`` of a bucket."""

    def __init__(
        self,
        place: ObjectStoreCache,
        environment: Mapping[str, str],
        sleep: Callable[[float], None] = pause,
    ) -> None:
        """Make the client. Raises MissingCloudExtra, RemoteCacheError."""
        try:
            import obstore
        except ImportError:
            raise MissingCloudExtra(place.kind) from None
        self._obstore: Any = _Interruptible(obstore)
        self._place = place
        self._sleep = sleep
        self._creating = Lock()
        self._creator: Any = None  # until a container was made, where the type makes them
        with self._errors():
            self._store, self._reading = open_stores(place, environment)
            if place.kind == "azblob":
                self._creator = container_creator(place, environment)

    @property
    def parallelism(self) -> int:
        return self._place.parallelism

    def manifests(self) -> Iterator[bytes]:
        for name in self._place.names:
            if (content := self._manifest(name)) is not None:
                yield content

    def publish(self, manifest: bytes) -> None:
        self._create_container()
        for name in self._place.names:
            with self._errors():
                self._obstore.put(self._store, self._place.manifests + name, manifest)

    def has(self, digest: Digest) -> bool:
        return self._changed(digest) is not None

    def keep(self, digest: Digest) -> bool:
        changed = self._changed(digest)
        if changed is None:
            return False
        refresh_s = self._place.refresh_s
        if refresh_s is not None and datetime.now(UTC) - changed > timedelta(seconds=refresh_s):
            self._touch(digest)
        return True

    def add(self, blob: Descriptor, content: BinaryIO) -> bool:
        self._create_container()
        with self._errors():
            self._obstore.put(
                self._store,
                self._blob(blob.digest),
                content,
                use_multipart=blob.size > _PART,
                chunk_size=_PART,
                max_concurrency=_PARTS_AT_ONCE,
            )
        return True

    def open(self, blob: Descriptor, start: int) -> BinaryIO:
        def chunks(position: int) -> Iterator[bytes]:
            if position >= blob.size > 0:
                return
            try:
                with self._errors(broken=True):
                    yield from self._from(self._blob(blob.digest), position)
            except FileNotFoundError:
                raise RemoteBlobNotFound(self._place, blob.digest) from None

        stream = ResumingStream(chunks, start=start, size=blob.size, sleep=self._sleep)
        return cast(BinaryIO, io.BufferedReader(stream))

    def whole(self, key: str) -> Iterator[bytes]:
        """Yield the content of an object. Raises RemoteCacheError, also for one that is missing."""
        try:
            with self._errors(missing=True):
                found = self._obstore.get(self._reading, key)
                for chunk in _chunks(found):
                    yield bytes(chunk)
        except FileNotFoundError:
            self._check_container()
            raise RemoteCacheError(f"{self._place}: no such object") from None

    def _from(self, key: str, start: int) -> Iterator[bytes]:
        """Yield the content of an object from ``start`` on."""
        skipped = 0
        try:
            options = {"range": {"offset": start}} if start else None
            found = self._obstore.get(self._reading, key, options=options)
        except Exception as error:
            if _NO_RANGES not in str(error):
                raise
            # A store that sends whole objects only, or names the wrong status, as rclone does.
            found = self._obstore.get(self._reading, key)
            skipped = start
        for chunk in _chunks(found):
            if piece := bytes(chunk)[skipped:]:
                yield piece
            skipped = max(0, skipped - len(chunk))

    def _manifest(self, name: str) -> bytes | None:
        try:
            with self._errors(missing=True):
                found = self._obstore.get(self._reading, self._place.manifests + name)
                if found.meta["size"] > MOST_BYTES:
                    raise RemoteCacheError(
                        f"{self._place}: a manifest of more than {MOST_BYTES} bytes"
                    )
                content = b""
                for chunk in _chunks(found):
                    content += bytes(chunk)
                    if len(content) > MOST_BYTES:
                        raise RemoteCacheError(f"{self._place}: a manifest without end")
                return content
        except FileNotFoundError:
            if self._creator is None:
                self._check_container()
            return None

    def _create_container(self) -> None:
        """Make the container of Azure if it is missing, as BuildKit does.

        A refusal does not count: the container is there, or the credentials may write blobs but
        make no container. Raises RemoteCacheError if there is no answer.
        """
        with self._creating:
            if self._creator is None:
                return
            try:
                with suppress(FileNotFoundError), self._errors(missing=True):
                    self._obstore.put(self._creator, "", b"", use_multipart=False)
            except RemoteCacheError as error:
                if isinstance(error, RemoteCacheBusy) or _REFUSAL not in error.message:
                    raise
                log.debug("container not created", reason=error.message)
            self._creator = None

    def _check_container(self) -> None:
        """Raise RemoteCacheError where not the object is missing but the whole bucket.

        S3 answers a missing object with 404 as well. A token without the right to list may read.
        """
        if is_on(self._place.access, "anonymous"):
            return  # to list a bucket, obstore looks for credentials
        try:
            with self._errors():
                prefix = self._place.manifests
                next(iter(self._obstore.list(self._reading, prefix, chunk_size=1)), None)
        except RemoteCacheError as error:
            if error.hint != _CREDENTIALS:
                raise

    def _changed(self, digest: Digest) -> datetime | None:
        """Return when the blob was written, None where there is none."""
        try:
            with self._errors(missing=True):
                changed: datetime = self._obstore.head(self._reading, self._blob(digest))[
                    "last_modified"
                ]
                return changed
        except FileNotFoundError:
            return None

    def _touch(self, digest: Digest) -> None:
        """Give the blob a new date, so that an expiry rule of the bucket keeps it.

        S3 refuses to copy an object onto itself unless its metadata change, which obstore cannot
        ask for. So the blob is copied away and back.
        """
        key = self._blob(digest)
        try:
            with self._errors():
                self._obstore.copy(self._store, key, f"{key}.touched")
                self._obstore.copy(self._store, f"{key}.touched", key)
                self._obstore.delete(self._store, f"{key}.touched")
        except RemoteCacheError as error:  # the blob is there: nothing is lost by now
            log.debug("blob not touched", digest=str(digest), reason=error.message)

    def _blob(self, digest: Digest) -> str:
        return f"{self._place.blobs}{digest}"

    @contextmanager
    def _errors(self, *, missing: bool = False, broken: bool = False) -> Iterator[None]:
        """Turn the errors of obstore into those of the port.

        FileNotFoundError leaves as it is for a ``missing`` object or a ``broken`` read; a failure
        of a ``broken`` read is a BrokenTransfer.
        """
        from obstore import exceptions

        try:
            yield
        except FileNotFoundError:
            if missing or broken:
                raise
            raise self._no_container() from None
        except (exceptions.UnauthenticatedError, exceptions.PermissionDeniedError) as error:
            raise RemoteCacheError(self._text(error), hint=_CREDENTIALS) from None
        except (exceptions.BaseError, OSError, ValueError) as error:
            text = self._text(error)
            if "404 Not Found" in text:  # of a list
                raise self._no_container() from None
            if any(word in text for word in _REFUSED):
                raise RemoteCacheError(text, hint=_CREDENTIALS) from None
            if any(word in text for word in _BUSY):
                raise RemoteCacheBusy(text) from None
            raise (BrokenTransfer if broken else RemoteCacheError)(text) from None

    def _no_container(self) -> RemoteCacheError:
        name = "container" if self._place.kind == "azblob" else "bucket"
        message = f"{self._place}: there is no {name} {self._place.container!r}"
        return RemoteCacheError(message, hint="create it first")

    def _text(self, error: BaseException) -> str:
        """Return the first line of what obstore says, without addresses, and the cause."""
        line, _, more = (str(error).strip() or type(error).__name__).partition("\n")
        reason = _ADDRESS.sub(r"\1: ", line)
        if reason.endswith(_NOT_SENT):
            found = ((pattern.search(more), words) for pattern, words in _CAUSES)
            causes = (words.format(match[1]) for match, words in found if match)
            reason = reason.removesuffix(_NOT_SENT) + next(causes, _NOT_SENT)
        return f"{self._place}: {reason[:_REASON_LIMIT]}"


def read_object(
    kind: str, bucket: str, key: str, access: Mapping[str, str], environment: Mapping[str, str]
) -> Iterator[bytes]:
    """Yield the content of one object, such as a build context.

    ``kind`` and ``access`` are as of ObjectStoreCache. Raises MissingCloudExtra, RemoteCacheError.
    """
    place = ObjectStoreCache(
        kind=kind, container=bucket, blobs="", manifests="", names=(key,), access=access
    )
    yield from ObjectStoreRemoteCache(place, environment).whole(key)


def _chunks(found: Any) -> Iterator[Any]:
    """Yield the content of an object in chunks."""
    stream = iter(found.stream(min_chunk_size=CHUNK))
    while (chunk := interruptible(lambda: next(stream, None), _drop)) is not None:
        yield chunk


def _drop(_result: object) -> None:
    """Drop a result, which holds nothing open."""
