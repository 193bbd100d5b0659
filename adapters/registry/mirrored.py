"""Mirrors of registries, as configured in registries.conf, for any Registry."""

import io
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, TypeVar

from img.adapters.registry.relay_stream import RelayStream
from img.application.log import logger
from img.application.ports.blob_store import BlobMismatch
from img.application.ports.credential_store import Credentials
from img.application.ports.registry import Registry, RegistryError, RegistryUnreachable
from img.domain.digest import Digest
from img.domain.errors import ImgError, RemoteError
from img.domain.oci.codec import decode_document
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.fields import InvalidDocument
from img.domain.reference import ImageReference
from img.domain.registries import RegistryRules

_T = TypeVar("_T")
_READ_AHEAD = 1024 * 1024  # bytes

log = logger("registry")


class MirroredRegistry(Registry):
    """Asks ``registry`` for an image at its mirrors, in turn, and then at its own location.

    After any failure of a mirror the next place is asked, in the middle of a blob too; unreachable
    mirrors are not asked again. The tag at a mirror must lead to an image, and not to a login page.
    A wrong digest of a blob only shows at its end: opening the blob again uses the next place.
    Pushes go to the image's own location. ``rules`` are read on first use.
    """

    def __init__(self, registry: Registry, rules: Callable[[], RegistryRules]) -> None:
        self._registry = registry
        self._rules = rules
        self._lost: set[str] = set()  # domains
        self._opened: set[tuple[str, Digest]] = set()  # blobs, by the mirrors that served them

    def resolve(self, reference: ImageReference) -> Descriptor:
        home = self._rules().pull_places(reference)[-1]

        def request(place: ImageReference) -> Descriptor:
            target = self._registry.resolve(place)
            if place != home and reference.digest is None:
                decode_document(self._registry.manifest(place, target))
            return target

        return self._first(reference, request)

    def manifest(self, reference: ImageReference, target: Descriptor) -> bytes:
        return self._first(
            reference, lambda place: self._registry.manifest(place, target), pinned=True
        )

    def open_blob(self, reference: ImageReference, blob: Descriptor, offset: int = 0) -> BinaryIO:
        places = self._rules().pull_places(reference, pinned=True)
        tried: list[ImageReference] = []

        def open_at(place: ImageReference, offset: int) -> BinaryIO:
            if place != places[-1]:
                if (place.domain, blob.digest) in self._opened:
                    raise RegistryError(f"{place.domain} gave other bytes for {blob.digest}")
                self._opened.add((place.domain, blob.digest))
            tried.append(place)
            return self._registry.open_blob(place, blob, offset)

        stream = self._first(reference, lambda place: open_at(place, offset), pinned=True)
        rest = [partial(open_at, place) for place in places[places.index(tried[-1]) + 1 :]]
        if not rest:
            return stream
        return io.BufferedReader(RelayStream(stream, offset, rest), _READ_AHEAD)

    def has_blob(self, reference: ImageReference, digest: Digest) -> bool:
        return self._registry.has_blob(self._home(reference), digest)

    def mount_blob(
        self, reference: ImageReference, blob: Descriptor, source: ImageReference
    ) -> bool:
        target, origin = self._home(reference), self._home(source)
        return target.domain == origin.domain and self._registry.mount_blob(target, blob, origin)

    def push_blob(self, reference: ImageReference, blob: Descriptor, content: BinaryIO) -> None:
        self._registry.push_blob(self._home(reference), blob, content)

    def push_manifest(self, reference: ImageReference, content: bytes, media_type: str) -> Digest:
        return self._registry.push_manifest(self._home(reference), content, media_type)

    def check_login(self, server: str, credentials: Credentials) -> None:
        self._registry.check_login(server, credentials)

    def _home(self, reference: ImageReference) -> ImageReference:
        return self._rules().push_place(reference)

    def _first(
        self,
        reference: ImageReference,
        request: Callable[[ImageReference], _T],
        *,
        pinned: bool = False,
    ) -> _T:
        """Return the first result; ``pinned`` if a digest fixes the result."""
        *mirrors, home = self._rules().pull_places(reference, pinned=pinned)
        failures = []
        for place in mirrors:
            if place.domain in self._lost:
                continue
            try:
                return request(place)
            except (RemoteError, BlobMismatch, InvalidDocument) as error:
                log.info("mirror failed", mirror=str(place), reason=error.message)
                failures.append(error.message)
                if isinstance(error, RegistryUnreachable) or getattr(error, "retryable", False):
                    self._lost.add(place.domain)
        try:
            return request(home)
        except ImgError as error:
            if failures:
                also = f"mirrors failed too: {'; '.join(failures)}"
                error.hint = f"{error.hint}; {also}" if error.hint else also
            raise
