"""A file from a web server, downloaded again only if it has changed."""

from collections.abc import Callable
from dataclasses import field, replace

from img.application.ports.blob_store import BlobStore
from img.application.ports.cache_store import CacheRecord
from img.application.ports.clock import Clock
from img.application.ports.executor import Cancellation
from img.application.ports.secret_source import SecretSource
from img.application.ports.web import WebAnswer, WebFetcher, WebRequest
from img.application.solver.fetched_file import FetchedFile
from img.application.solver.lookup import Lookup
from img.application.solver.results import ContextFiles, Fetched
from img.application.transfer.pins import Pins
from img.application.transfer.source_guard import NoGuard, SourceGuard
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import RemoteError
from img.domain.graph.operations import FetchUrl
from img.domain.oci.chain import DiffID, Layer
from img.domain.oci.descriptor import Descriptor
from img.domain.url import Url, redact_credentials

_CHUNK = 1 << 20
_ANY = "application/octet-stream"
_ETAG = "img.http.etag"
_MODIFIED = "img.http.last-modified"

ProgressCallback = Callable[[int, int], None]
"""Called during a download: (bytes so far, bytes in all, 0 if that is unknown)."""


class ChecksumMismatch(RemoteError):
    """A download does not have the digest of --checksum (message: BuildKit's)."""

    def __init__(self, url: str, actual: Digest, expected: Digest) -> None:
        super().__init__(
            f"digest mismatch for {redact_credentials(url)}: {actual} (expected: {expected})"
        )
        self.actual = actual
        self.expected = expected


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFile:
    """Downloads, stored as blobs with a cache record for the headers of the answer.

    Only an ETag proves that a file is unchanged. A Last-Modified does not: servers answer "not
    modified" also if a file was replaced by an older one.
    """

    web: WebFetcher
    secrets: SecretSource
    blobs: BlobStore
    lookup: Lookup
    clock: Clock
    pins: Pins
    guard: SourceGuard = field(default_factory=NoGuard)

    def __call__(
        self, operation: FetchUrl, cancelled: Cancellation, on_progress: ProgressCallback
    ) -> Fetched:
        """Return the file; a stored one with the checksum of the operation is not downloaded.

        Raises WebError, ChecksumMismatch, StoreFull, NotLocked, PolicyViolated.
        """
        operation = self.guard.download(operation, self.pins)
        pinned, own = self.pins.url(operation.url), operation.checksum
        if pinned is not None:
            if own is not None and own.algorithm == pinned.algorithm and own != pinned:
                raise ChecksumMismatch(operation.url, own, pinned)
            operation = replace(operation, checksum=pinned)
        fetched = self._fetched(operation, cancelled, on_progress)
        assert isinstance(fetched.result, ContextFiles)
        file = fetched.result.context
        assert isinstance(file, FetchedFile)
        if pinned is not None and own is not None:
            self._check(operation.url, own, file.blob)
        self.pins.note_url(operation.url, file.blob)
        return fetched

    def _fetched(
        self, operation: FetchUrl, cancelled: Cancellation, on_progress: ProgressCallback
    ) -> Fetched:
        key = Digest.of(f"url\0{operation.url}".encode("utf-8", "surrogateescape"))
        known = self.lookup(key)
        if known is not None and known.layer is not None:
            here = known.layer.descriptor
            if operation.checksum is not None and here.digest == operation.checksum:
                return Fetched(result=self._file(operation, here), cached=True)
        else:
            here = None
        etag = here.annotations.get(_ETAG, "") if here else ""
        request = WebRequest(
            url=operation.url, etag=etag, authorization=self._authorization(operation.url)
        )
        with self.web.get(request, cancelled) as answer:
            if here is not None and answer.unchanged:
                if operation.checksum is not None:
                    self._check(operation.url, operation.checksum, here.digest)
                return Fetched(result=self._file(operation, here), cached=True)
            blob = self._stored(operation, answer, on_progress)
        self.lookup.remember(self._record(operation, blob), key)
        return Fetched(result=self._file(operation, blob), cached=False)

    def _authorization(self, url: str) -> str:
        """Return the header for the URL's host; a token has precedence, as in BuildKit."""
        parsed = Url.parse(url)
        host = parsed.host_name if parsed else ""
        if (token := self.secrets.secret(f"HTTP_AUTH_TOKEN_{host}")) is not None:
            return f"Bearer {_text(token)}"
        header = self.secrets.secret(f"HTTP_AUTH_HEADER_{host}")
        return "" if header is None else _text(header)

    def _stored(
        self, operation: FetchUrl, answer: WebAnswer, on_progress: ProgressCallback
    ) -> Descriptor:
        expected = operation.checksum
        other = expected.new_hash() if expected else None
        writer = self.blobs.writer()
        size = 0
        try:
            for chunk in answer.content:
                writer.write(chunk)
                if other is not None:
                    other.update(chunk)
                size += len(chunk)
                on_progress(size, answer.size)
            if expected is not None and other is not None:
                actual = Digest(expected.algorithm, other.hexdigest())
                if actual != expected:
                    raise ChecksumMismatch(operation.url, actual, expected)
            digest = writer.commit()
        finally:
            writer.abort()
        said = {_ETAG: answer.etag} if answer.etag else {}
        if answer.modified is not None:
            said[_MODIFIED] = str(answer.modified)
        return Descriptor(media_type=_ANY, digest=digest, size=size, annotations=said)

    def _check(self, url: str, expected: Digest, digest: Digest) -> None:
        if digest == expected:
            return
        computed = expected.new_hash()
        with self.blobs.open(digest) as content:
            while chunk := content.read(_CHUNK):
                computed.update(chunk)
        actual = Digest(expected.algorithm, computed.hexdigest())
        if actual != expected:
            raise ChecksumMismatch(url, actual, expected)

    def _record(self, operation: FetchUrl, blob: Descriptor) -> CacheRecord:
        # Not a layer of an image: the record protects the blob from garbage collection.
        return CacheRecord(
            layer=Layer(DiffID(blob.digest), blob),
            created=self.clock.now(),
            description=f"download of {redact_credentials(operation.url)}",
        )

    def _file(self, operation: FetchUrl, blob: Descriptor) -> ContextFiles:
        from img.domain.attestations.material import download_material  # few builds fetch

        return ContextFiles(
            context=FetchedFile(
                blobs=self.blobs,
                name=operation.filename,
                blob=blob.digest,
                size=blob.size,
                modified=int(blob.annotations.get(_MODIFIED, "0")),
            ),
            material=download_material(operation.url, blob.digest),
        )


def _text(secret: bytes) -> str:
    return secret.decode("utf-8", "surrogateescape").strip()
