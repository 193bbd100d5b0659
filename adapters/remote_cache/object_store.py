"""Caches in buckets and containers, by the library obstore (extra ``cloud``)."""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

from img.adapters.http.interruptible import interruptible
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
from img.domain.go.booleans import parse_boolean
from img.domain.json_text import MOST_BYTES
from img.domain.oci.descriptor import Descriptor
from img.domain.options.remote_cache import ObjectStoreCache
from img.domain.proxies import ProxyRules

if TYPE_CHECKING:
    from obstore.store import ObjectStore

log = logger("remote cache")

_PART = 8 << 20  # bytes of one request of an upload
_PARTS_AT_ONCE = 5  # of one blob, as BuildKit
_RETRY_S = 60.0  # for all tries of one request
_TRIES = 5
_REASON_LIMIT = 300  # characters
_ADDRESS = re.compile(r"Error performing (\w+) \S+ in .*? - ")
"""The address of a request in a message of obstore, which may be long, and the time it took."""
_NO_RANGES = "non-partial response"  # obstore's error for 200 where 206 is right
_BUSY = ("429 Too Many Requests", "503 Service Unavailable", "SlowDown", "ServerBusy")
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
        with self._errors():
            self._store = _store(place, environment)

    @property
    def parallelism(self) -> int:
        return self._place.parallelism

    def manifests(self) -> Iterator[bytes]:
        for name in self._place.names:
            if (content := self._manifest(name)) is not None:
                yield content

    def publish(self, manifest: bytes) -> None:
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
                found = self._obstore.get(self._store, key)
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
            found = self._obstore.get(self._store, key, options=options)
        except Exception as error:
            if _NO_RANGES not in str(error):
                raise
            # A store that sends whole objects only, or names the wrong status, as rclone does.
            found = self._obstore.get(self._store, key)
            skipped = start
        for chunk in _chunks(found):
            if piece := bytes(chunk)[skipped:]:
                yield piece
            skipped = max(0, skipped - len(chunk))

    def _manifest(self, name: str) -> bytes | None:
        try:
            with self._errors(missing=True):
                found = self._obstore.get(self._store, self._place.manifests + name)
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
            self._check_container()
            return None

    def _check_container(self) -> None:
        """Raise RemoteCacheError where not the object is missing but the whole bucket.

        S3 answers a missing object with 404 as well. A token without the right to list may read.
        """
        if _is_on(
            self._place.access, "anonymous"
        ):  # to list a bucket, obstore looks for credentials
            return
        try:
            with self._errors():
                prefix = self._place.manifests
                next(iter(self._obstore.list(self._store, prefix, chunk_size=1)), None)
        except RemoteCacheError as error:
            if error.hint != _CREDENTIALS:
                raise

    def _changed(self, digest: Digest) -> datetime | None:
        """Return when the blob was written, None where there is none."""
        try:
            with self._errors(missing=True):
                changed: datetime = self._obstore.head(self._store, self._blob(digest))[
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
        """Return the first line of what obstore says, without addresses; the rest repeats it."""
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        reason = _ADDRESS.sub(r"\1: ", line)
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


def _store(place: ObjectStoreCache, environment: Mapping[str, str]) -> "ObjectStore":
    from obstore.store import AzureStore, GCSStore, S3Store

    kinds: dict[str, Any] = {"s3": S3Store, "azblob": AzureStore, "gs": GCSStore}
    settings_of = {"s3": _s3, "azblob": _azure, "gs": _gs}[place.kind]
    settings = settings_of(place.container, place.access)
    if _is_on(place.access, "anonymous"):
        settings["skip_signature"] = True
    provider = _profile(place, environment)
    endpoint = _endpoint(place)
    proxy = ProxyRules.of(environment).proxy_for(endpoint) if endpoint else None
    client: dict[str, object] = {"connect_timeout": "10s", "timeout": "5m"}
    if endpoint.startswith("http:"):
        client["allow_http"] = True
    if proxy:
        client["proxy_url"] = proxy
    return cast(
        "ObjectStore",
        kinds[place.kind](
            place.container,
            config=settings,
            client_options=client,
            retry_config={
                "max_retries": int(place.access.get("retry_max_attempts") or _TRIES),
                "retry_timeout": timedelta(seconds=_RETRY_S),
            },
            **({"credential_provider": provider} if provider else {}),
        ),
    )


def _endpoint(place: ObjectStoreCache) -> str:
    if place.kind == "s3":
        region = place.access.get("region", "")
        return place.access.get("endpoint_url") or f"https://s3.{region}.amazonaws.com"
    if place.kind == "azblob":
        return place.access["account_url"]
    return place.access.get("endpoint_url") or "https://storage.googleapis.com"


def _is_on(access: Mapping[str, str], name: str) -> bool:
    return parse_boolean(access.get(name, "")) is True


def _host_of_bucket(endpoint: str, bucket: str) -> str | None:
    """Return the endpoint with the bucket in its host, None for an address without names.

    As the SDK of AWS does; obstore takes the endpoint of this style as it is.
    """
    parts = urlsplit(endpoint)
    with suppress(ValueError):
        ip_address(parts.hostname or "")
        return None
    return f"{parts.scheme}://{bucket}.{parts.netloc}{parts.path.rstrip('/')}"


def _s3(bucket: str, access: Mapping[str, str]) -> dict[str, object]:
    settings: dict[str, object] = {"region": access["region"]}
    if endpoint := access.get("endpoint_url"):
        host = _host_of_bucket(endpoint, bucket)
        is_path = _is_on(access, "use_path_style") or host is None
        settings["virtual_hosted_style_request"] = not is_path
        settings["endpoint"] = endpoint.rstrip("/") if is_path else host
    for name in ("access_key_id", "secret_access_key", "session_token"):
        if access.get(name):
            settings[name] = access[name]
    return settings


def _azure(_container: str, access: Mapping[str, str]) -> dict[str, object]:
    settings: dict[str, object] = {
        "account_name": access["account_name"],
        "endpoint": access["account_url"],
    }
    if key := access.get("secret_access_key"):
        settings["account_key"] = key
    return settings


def _gs(_bucket: str, access: Mapping[str, str]) -> dict[str, object]:
    settings: dict[str, object] = {}
    if endpoint := access.get("endpoint_url"):
        settings["base_url"] = endpoint.rstrip("/")
    if path := access.get("service_account"):
        settings["service_account"] = path
    return settings


def _profile(place: ObjectStoreCache, environment: Mapping[str, str]) -> Any:
    """Return a provider of the credentials of an AWS profile, None if none is needed.

    obstore knows the environment and the services of AWS, but no profiles and no SSO.
    """
    given = place.access.get("access_key_id") or _is_on(place.access, "anonymous")
    if place.kind != "s3" or given or not environment.get("AWS_PROFILE"):
        return None
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        message = "AWS_PROFILE needs the package boto3"
        raise RemoteCacheError(message, hint="pip install boto3") from None
    return Boto3CredentialProvider()


def _chunks(found: Any) -> Iterator[Any]:
    """Yield the content of an object in chunks."""
    stream = iter(found.stream(min_chunk_size=CHUNK))
    while (chunk := interruptible(lambda: next(stream, None), _drop)) is not None:
        yield chunk


def _drop(_result: object) -> None:
    """Drop a result, which holds nothing open."""
