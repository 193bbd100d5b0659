"""Registries over the network, by the oras package."""

import hashlib
import io
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, BinaryIO

from img.adapters.registry.addresses import checked
from img.adapters.registry.ask import Ask, blob_path, manifest_path, reading, writing
from img.adapters.registry.blob_stream import BlobStream
from img.adapters.registry.connections import Access, Connections
from img.adapters.registry.failures import limited_body
from img.adapters.registry.upload import Upload, mount
from img.application.ports.blob_store import BlobMismatch
from img.application.ports.credential_store import Credentials, CredentialStore
from img.application.ports.registry import (
    ManifestUnknown,
    Registry,
    RegistryError,
    Unauthorized,
)
from img.domain.digest import Digest, InvalidDigest
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    import requests

    from img.adapters.registry.connection import Connection
    from img.adapters.registry.trust import Trust

_MANIFEST_LIMIT = 32 * 1024 * 1024  # bytes; registries must take 4 MiB (distribution-spec)
_READ_AHEAD = 1024 * 1024  # bytes
_MANIFEST_TYPES = media_types.MANIFESTS | media_types.INDEXES
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"


class OrasRegistry(Registry):
    """Any registry that speaks the OCI distribution-spec; oras carries the requests.

    The arguments are those of ``Access``. oras and requests are loaded at the first request.
    """

    def __init__(
        self,
        *,
        credentials: CredentialStore,
        insecure: Callable[[str], bool] = lambda _: False,
        trust: "Trust | None" = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connections = Connections(
            Access(credentials=credentials, insecure=insecure, trust=trust, sleep=sleep)
        )

    def resolve(self, reference: ImageReference) -> Descriptor:
        connection = self._connection(reference)
        ask = reading("HEAD", reference, manifest_path(reference), _accepting(""))
        response = connection.send(ask)
        response.close()
        found = _described(response)
        if found is None:  # HEAD is not what every registry is good at; nor has it an error's text
            content, media_type = self._manifest(connection, reference)
            digest = _digest_of(content, reference.digest)
            found = Descriptor(media_type=media_type, digest=digest, size=len(content))
        if found.media_type.startswith(_SCHEMA_1):
            raise RegistryError(
                f"{reference} is an image of Docker's schema 1, which nothing reads any more",
                hint="push it again with a current tool",
            )
        if reference.digest not in (None, found.digest):
            raise BlobMismatch(reference.digest, found.digest)
        return found

    def manifest(self, reference: ImageReference, target: Descriptor) -> bytes:
        reference = reference.with_digest(target.digest)
        content, _ = self._manifest(self._connection(reference), reference, target.media_type)
        actual = _digest_of(content, target.digest)
        if actual != target.digest:
            raise BlobMismatch(target.digest, actual)
        claimed = _media_type_in(content)
        if claimed not in ("", target.media_type):
            # The same bytes must not be an image to one reader and an index to another.
            raise RegistryError(f"{reference} is {claimed}, but was announced {target.media_type}")
        return content

    def open_blob(self, reference: ImageReference, blob: Descriptor, offset: int = 0) -> BinaryIO:
        connection = self._connection(reference)
        target = blob_path(reference, blob.digest)
        response = self._get_blob(connection, reference, target, offset)
        for url in blob.urls:  # layers that may not be distributed live elsewhere
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
        stream = BlobStream(
            response,
            offset=offset,
            size=blob.size,
            name=f"blob {blob.digest}",
            host=connection.host,
            reopen=lambda offset: self._again(connection, reference, target, offset),
            patience=connection.patience(),
        )
        return io.BufferedReader(stream, _READ_AHEAD)

    def has_blob(self, reference: ImageReference, digest: Digest) -> bool:
        connection = self._connection(reference)
        ask = reading("HEAD", reference, blob_path(reference, digest), {})
        response = connection.send(ask)
        response.close()
        if response.status_code == 404:
            return False
        if response.status_code >= 400:
            raise connection.refusal(response, ask)
        return True  # a redirect leads to the blob

    def push_blob(self, reference: ImageReference, blob: Descriptor, content: BinaryIO) -> None:
        connection = self._connection(reference)
        Upload(connection, reference, blob, content).run()

    def mount_blob(
        self, reference: ImageReference, blob: Descriptor, source: ImageReference
    ) -> bool:
        return mount(self._connection(reference), reference, blob, source)

    def push_manifest(self, reference: ImageReference, content: bytes, media_type: str) -> Digest:
        digest = _digest_of(content, reference.digest)
        if reference.digest not in (None, digest):
            raise BlobMismatch(reference.digest, digest)
        connection = self._connection(reference)
        if not reference.tag:
            reference = reference.with_digest(digest)
        ask = writing(
            "PUT", reference, manifest_path(reference), {"Content-Type": media_type}, content
        )
        response = connection.send(ask)
        if response.status_code not in {200, 201, 202}:
            raise connection.refusal(response, ask)
        limited_body(response)
        return digest

    def check_login(self, server: str, credentials: Credentials) -> None:
        connection = self._connections.apart(server, credentials)
        ask = Ask(method="GET", target="/v2/", what=f"login to {connection.host}")
        hint = "check the user name, and the password or token"
        try:
            response = connection.send(ask)
        except Unauthorized as error:
            raise Unauthorized(error.message, hint=hint) from None
        if response.status_code in {401, 403}:
            raise Unauthorized(
                f"registry {connection.host} refuses the user name or password", hint=hint
            )
        if response.status_code != 200:
            raise connection.refusal(response, ask)
        limited_body(response)

    def _connection(self, reference: ImageReference) -> "Connection":
        return self._connections.to(reference)

    def _manifest(
        self, connection: "Connection", reference: ImageReference, media_type: str = ""
    ) -> tuple[bytes, str]:
        """Return content and media type of the manifest that ``reference`` names."""
        ask = reading("GET", reference, manifest_path(reference), _accepting(media_type))
        response, content = connection.document(ask, _MANIFEST_LIMIT)
        if response.status_code == 404:
            response.close()
            raise ManifestUnknown(f"{reference}: not found")
        if response.status_code != 200:
            raise connection.refusal(response, ask)
        served = _content_type(response)
        known = served in _MANIFEST_TYPES or served.startswith(_SCHEMA_1)
        return content, served if known else _media_type_in(content) or served

    def _get_blob(
        self, connection: "Connection", reference: ImageReference, target: str, offset: int
    ) -> "requests.Response":
        # Without "identity" a server may pack the blob again, and its digest would not fit.
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        ask = reading("GET", reference, target, headers)
        response = connection.send(ask)
        if offset and response.status_code == 416:  # where there are no ranges, it reads up to it
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


def _accepting(media_type: str) -> Mapping[str, str]:
    """Return the header that takes every manifest we can read, and ``media_type``."""
    return {"Accept": ", ".join(sorted(_MANIFEST_TYPES | ({media_type} - {""})))}


def _described(response: "requests.Response") -> Descriptor | None:
    """Return what the answer to HEAD says of a manifest; None unless it says all of it."""
    media_type = _content_type(response)
    length = response.headers.get("Content-Length", "")
    if response.status_code != 200 or not length.isdecimal():
        return None
    if media_type not in _MANIFEST_TYPES and not media_type.startswith(_SCHEMA_1):
        return None
    try:
        digest = Digest.parse(response.headers.get("Docker-Content-Digest", ""))
    except InvalidDigest:
        return None
    return Descriptor(media_type=media_type, digest=digest, size=int(length))


def _content_type(response: "requests.Response") -> str:
    """Return the media type without its parameters."""
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _media_type_in(content: bytes) -> str:
    """Return what a document says it is, "" if it does not."""
    try:
        document = json.loads(content)
    except ValueError:
        return ""
    claimed = document.get("mediaType") if isinstance(document, dict) else None
    return claimed if isinstance(claimed, str) else ""


def _digest_of(content: bytes, like: Digest | None) -> Digest:
    """Return the digest of ``content`` in the algorithm of ``like``."""
    algorithm = like.algorithm if like else "sha256"
    return Digest(algorithm, hashlib.new(algorithm, content).hexdigest())
