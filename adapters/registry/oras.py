"""Registries over the network, by the oras package."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from img.adapters.registry.addresses import checked
from img.adapters.registry.blob_stream import BlobStream
from img.adapters.registry.connections import Access, Connections
from img.adapters.registry.failures import limited_body
from img.adapters.registry.limits import Limits
from img.adapters.registry.manifests import (
    check_type,
    digest_of,
    get_manifest,
    head_manifest,
    media_type_in,
    put_manifest,
)
from img.adapters.registry.referrers import add_to_referrers_tag, has_subject
from img.adapters.registry.request import Request, blob_path, reading
from img.adapters.registry.upload import Upload, mount
from img.application.cancellation import pause
from img.application.ports.blob_store import BlobMismatch
from img.application.ports.credential_store import Credentials, CredentialStore
from img.application.ports.registry import (
    ManifestUnknown,
    Registry,
    RegistryError,
    Unauthorized,
)
from img.domain.decimal_text import parse_count
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    import requests

    from img.adapters.registry.connection import Connection
    from img.adapters.registry.trust import Trust

_READ_AHEAD = 1024 * 1024  # bytes
_LIMITS = Limits()


class OrasRegistry(Registry):
    """Any registry that implements the OCI distribution-spec; oras sends the requests.

    The arguments are those of ``Access``. oras and requests are loaded at the first request.
    """

    def __init__(
        self,
        *,
        credentials: CredentialStore,
        insecure: Callable[[str], bool] = lambda _: False,
        trust: "Trust | None" = None,
        sleep: Callable[[float], None] = pause,
        limits: Limits = _LIMITS,
    ) -> None:
        self._connections = Connections(
            Access(
                credentials=credentials,
                insecure=insecure,
                trust=trust,
                sleep=sleep,
                limits=limits,
            )
        )

    def resolve(self, reference: ImageReference) -> Descriptor:
        found = self._described(reference, "pull")
        check_type(reference, found.media_type)
        if reference.digest not in (None, found.digest):
            raise BlobMismatch(reference.digest, found.digest)
        return found

    def manifest(self, reference: ImageReference, target: Descriptor) -> bytes:
        reference = reference.with_digest(target.digest)
        content, _ = get_manifest(self._connection(reference), reference, target.media_type)
        actual = digest_of(content, target.digest)
        if actual != target.digest:
            raise BlobMismatch(target.digest, actual)
        claimed = media_type_in(content)
        if claimed not in ("", target.media_type):
            # The same bytes must not be an image for one reader and an index for another.
            raise RegistryError(f"{reference} is {claimed}, but was announced {target.media_type}")
        return content

    def open_blob(self, reference: ImageReference, blob: Descriptor, offset: int = 0) -> BinaryIO:
        connection = self._connection(reference)
        target = blob_path(reference, blob.digest)
        response = self._get_blob(connection, reference, target, offset)
        for url in blob.urls:  # layers that may not be distributed are stored elsewhere
            if response.status_code in {200, 206}:
                break
            response.close()
            target = checked(url, host=connection.host, scheme=connection.scheme)
            response = self._get_blob(connection, reference, target, offset)
        if response.status_code == 404:
            response.close()
            raise RegistryError(f"{reference.repository} has no blob {blob.digest}")
        if response.status_code not in {200, 206}:
            raise connection.refusal(response, reading("GET", reference, target, {}))
        _check_length(response, blob, connection.host)
        stream = BlobStream(
            response,
            offset=offset,
            size=blob.size,
            name=f"blob {blob.digest}",
            host=connection.host,
            reopen=lambda offset: self._again(connection, reference, target, offset),
            retries=connection.retry_policy(blob.size),
        )
        return io.BufferedReader(stream, _READ_AHEAD)

    def has_blob(self, reference: ImageReference, digest: Digest) -> bool:
        connection = self._connection(reference)
        # Users wait for this answer before a push.
        request = reading("HEAD", reference, blob_path(reference, digest), {}, "push")
        response = connection.send(request)
        response.close()
        if response.status_code == 404:
            return False
        if response.status_code >= 400:
            raise connection.refusal(response, request)
        return True  # a redirect leads to the blob

    def push_blob(self, reference: ImageReference, blob: Descriptor, content: BinaryIO) -> None:
        connection = self._connection(reference)
        Upload(connection, reference, blob, content).run()

    def mount_blob(
        self, reference: ImageReference, blob: Descriptor, source: ImageReference
    ) -> bool:
        return mount(self._connection(reference), reference, blob, source)

    def push_manifest(self, reference: ImageReference, content: bytes, media_type: str) -> Digest:
        digest = digest_of(content, reference.digest)
        if reference.digest not in (None, digest):
            raise BlobMismatch(reference.digest, digest)
        connection = self._connection(reference)
        if not reference.tag:
            reference = reference.with_digest(digest)
        answered = put_manifest(connection, reference, content, media_type)
        if answered.get("Docker-Content-Digest") != str(digest):
            self._confirm(reference, digest)
        if has_subject(content) and "OCI-Subject" not in answered:
            add_to_referrers_tag(connection, reference, content, media_type)
        return digest

    def check_login(self, server: str, credentials: Credentials) -> None:
        connection = self._connections.with_credentials(server, credentials)
        request = Request(method="GET", target="/v2/", what=f"login to {connection.host}")
        hint = "check the user name, and the password or token"
        try:
            response = connection.send(request)
        except Unauthorized as error:
            raise Unauthorized(error.message, hint=hint) from None
        if response.status_code in {401, 403}:
            raise Unauthorized(
                f"registry {connection.host} refuses the user name or password", hint=hint
            )
        if response.status_code != 200:
            raise connection.refusal(response, request)
        limited_body(response)

    def _confirm(self, reference: ImageReference, digest: Digest) -> None:
        """Check that the registry has the manifest: some proxies accept every push."""
        try:
            if self._described(reference, "push").digest == digest:
                return
        except Unauthorized:
            return  # the right to push does not include the right to pull
        except ManifestUnknown:
            pass
        raise RegistryError(
            f"push of {reference.familiar}: the registry took the manifest {digest}, "
            "but has another one under that name, or none"
        )

    def _described(self, reference: ImageReference, what: str) -> Descriptor:
        """Return the descriptor of the name, of any kind."""
        connection = self._connection(reference)
        found = head_manifest(connection, reference, what)
        if found is not None:
            return found
        content, media_type = get_manifest(connection, reference, what=what)
        digest = digest_of(content, reference.digest)
        return Descriptor(media_type=media_type, digest=digest, size=len(content))

    def _connection(self, reference: ImageReference) -> "Connection":
        return self._connections.to(reference)

    def _get_blob(
        self, connection: "Connection", reference: ImageReference, target: str, offset: int
    ) -> "requests.Response":
        # Without "identity" a server may compress the blob again, and its digest would not match.
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        request = reading("GET", reference, target, headers)
        response = connection.send(request)
        # without support for ranges, the blob is read up to the offset
        if offset and response.status_code == 416:
            response.close()
            return self._get_blob(connection, reference, target, 0)
        return response

    def _again(
        self, connection: "Connection", reference: ImageReference, target: str, offset: int
    ) -> "requests.Response":
        response = self._get_blob(connection, reference, target, offset)
        if response.status_code not in {200, 206}:
            raise connection.refusal(response, reading("GET", reference, target, {}))
        return response


def _check_length(response: "requests.Response", blob: Descriptor, host: str) -> None:
    """Raise RegistryError for a response that is something else, such as a login page."""
    length = parse_count(response.headers.get("Content-Length", ""))
    if response.status_code == 200 and length not in (None, blob.size):
        response.close()
        raise RegistryError(
            f"registry {host} has {length} bytes under the name of blob {blob.digest}, "
            f"which has {blob.size}"
        )
