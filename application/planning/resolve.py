"""Resolution of base image names to digests and configs."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING

from img.application.log import logger
from img.application.ports.blob_store import BlobDamaged, BlobNotFound
from img.application.ports.image_store import ImageNotFound
from img.application.ports.progress_sink import ProgressSink
from img.application.ports.registry import ManifestUnknown, Registry, RegistryError
from img.application.threads import threads
from img.application.transfer.blobs import Transfer
from img.application.transfer.catalog import Catalog, Image
from img.application.transfer.damage import drop_damaged
from img.application.transfer.find_image import FindImage
from img.application.transfer.pins import Pins
from img.application.transfer.pull_documents import fetch_image
from img.application.transfer.source_guard import NoGuard, SourceGuard
from img.domain.build import BaseImage, BaseName
from img.domain.context_location import LayoutPlace
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError, ImgError, NotFoundError, StepForbidden, TrustError
from img.domain.image_name import ImageName
from img.domain.oci import media_types
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import NoPlatformMatch
from img.domain.platform import DefaultPlatform, Platform
from img.domain.progress import (
    VertexCached,
    VertexDone,
    VertexFailed,
    VertexStarted,
    VertexWarning,
)
from img.domain.pull_policy import PullPolicy
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    from img.application.transfer.copy_layout import CopyFromLayout

_PARALLEL = 4
_ALWAYS = PullPolicy.ALWAYS

log = logger("resolve")


class BaseUnavailable(BuildError):
    """A base image is neither stored nor available from a registry."""

    def __init__(self, name: BaseName, cause: ImgError) -> None:
        super().__init__(f"{name.text}: {cause.message}", lines=name.lines, hint=cause.hint)
        self.name = name
        self.exit_code = cause.exit_code


class LockedImageGone(RegistryError):
    """A registry lacks the image that the lock file has for a name."""

    def __init__(self, reference: ImageReference, locked: Digest, now: str) -> None:
        super().__init__(
            f"the lock file has {locked} for {reference}, which the registry does not have{now}",
            hint=f"`img lock --update={reference.familiar}`",
        )
        self.reference = reference
        self.locked = locked


class BaseNotHere(NotFoundError):
    """A base image is not stored, and --pull=never forbids requests to registries."""

    def __init__(self, reference: ImageReference) -> None:
        super().__init__(
            f"{reference} is not stored here, and --pull=never asks no registry",
            hint=f"`img pull {reference.familiar}`, or leave --pull=never out",
        )
        self.reference = reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedBase:
    """A base image, and the target of its name; ``named`` if the store has the name."""

    image: BaseImage
    reference: ImageReference | None  # None: not from a registry, so it is stored
    target: Descriptor
    named: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveBases:
    """Finds base images in the store first, then in their registry.

    ``results`` are images that have no name in the store: those of other targets of a bake.
    """

    find: FindImage
    catalog: Catalog
    registry: Registry
    transfer: Transfer
    layouts: "CopyFromLayout"
    progress: ProgressSink
    pins: Pins
    guard: SourceGuard = field(default_factory=NoGuard)
    results: Mapping[Digest, Descriptor] = field(default_factory=dict)

    def __call__(
        self, names: Iterable[BaseName], *, pull: PullPolicy = PullPolicy.MISSING
    ) -> Mapping[BaseName, ResolvedBase]:
        """Return the config and the layers of each base image; fetch no layer.

        ``pull`` selects between stored images and those of registries. Raises BaseUnavailable,
        StepForbidden.
        """
        wanted = list(dict.fromkeys(names))
        resolve = partial(self._resolve, pull=pull)
        if len(wanted) <= 1:
            return {name: resolve(name) for name in wanted}
        with threads(_PARALLEL, "resolve") as pool:
            return dict(zip(wanted, pool.map(resolve, wanted), strict=True))

    def _resolve(self, name: BaseName, *, pull: PullPolicy) -> ResolvedBase:
        vertex = f"metadata {name.text} {name.platform}"
        title = f"[internal] load metadata for {name.text}"
        try:
            if (layout := LayoutPlace.parse(name.text)) is not None:
                return self._copied(name, layout)
            stored = ImageName.parse(name.text)
            if stored.reference is None:
                return self._by_id(stored, name)
            reference = self.guard.named_image(name.text, stored.reference)
            assert reference is not None
            pinned = self.pins.image(reference, name.platform)
            self.guard.pinned_image(name.text, reference, pinned)
            source = reference if pinned is None else reference.with_digest(pinned)
            if pinned is not None and pull is not PullPolicy.NEVER:
                pull = PullPolicy.MISSING  # a digest never means another image
            local = self._local(source, name.platform, pinned) if pull is not _ALWAYS else None
            if local is not None and pull is not PullPolicy.NEWER:
                self.guard.found_image(name.text, reference, local[0].target.digest)
                self.progress.emit(VertexCached(vertex=vertex, name=title))
                self.pins.note_image(reference, name.platform, local[0].target.digest)
                image, stored_target = local
                return _resolved(name, reference, image, source=source, here=stored_target)
            self.progress.emit(VertexStarted(vertex=vertex, name=title))
            if pull is PullPolicy.NEVER:
                raise BaseNotHere(source)
            try:
                image, target = self._fetched(source, name.platform, vertex, local)
            except ManifestUnknown:
                if pinned is None:
                    raise
                now = self._now(reference, name.platform)
                raise LockedImageGone(reference, pinned, now) from None
            self.guard.found_image(name.text, reference, image.target.digest)
            self.pins.note_image(reference, name.platform, image.target.digest)
        except ImgError as error:
            self.progress.emit(VertexFailed(vertex=vertex, message=error.message))
            if isinstance(error, TrustError):
                message = f"{name.text}: {error.message}"
                raise StepForbidden(message, lines=name.lines, hint=error.hint) from error
            raise BaseUnavailable(name, error) from error
        self.progress.emit(VertexDone(vertex=vertex))
        here = None if local is None else local[1]
        return _resolved(name, reference, image, target, source=source, here=here)

    def _now(self, reference: ImageReference, platform: Platform) -> str:
        """Return the words of a message that say what a name means now, "" if that is unknown."""
        try:
            fetched = fetch_image(self.registry, self.transfer, reference, platform)
        except ImgError:
            return ""
        return f"; it is now {fetched.image.target.digest}"

    def _by_id(self, stored: ImageName, name: BaseName) -> ResolvedBase:
        """Return a stored image: registries have no IDs."""
        result = None if stored.digest is None else self.results.get(stored.digest)
        if result is None:
            self._check_name(name)
        target = result or self.find(stored).target
        # The result of a target with one platform is for all platforms (buildx, build/build.go).
        wanted = DefaultPlatform(name.platform) if result else name.platform
        image = self.catalog.image(target, wanted)
        if result is None:
            self.guard.found_image(name.text, None, image.target.digest)
        vertex = f"metadata {name.text} {name.platform}"
        self.progress.emit(
            VertexCached(vertex=vertex, name=f"[internal] load metadata for {name.text}")
        )
        return _resolved(name, None, image)

    def _fetched(
        self,
        reference: ImageReference,
        platform: Platform,
        vertex: str,
        local: tuple[Image, Descriptor] | None,
    ) -> tuple[Image, Descriptor | None]:
        """Return the image from the registry and the new target of its name.

        If that fails and there is a ``local`` image, return it and None.
        """
        try:
            fetched = fetch_image(self.registry, self.transfer, reference, platform)
        except ImgError as error:
            if local is None:
                raise
            message = f"{error.message}; the image that is stored here is used"
            self.progress.emit(VertexWarning(vertex=vertex, message=message))
            return local[0], None
        return fetched.image, fetched.target

    def _copied(self, name: BaseName, layout: LayoutPlace) -> ResolvedBase:
        self._check_name(name)
        vertex = f"metadata {name.text} {name.platform}"
        self.progress.emit(VertexStarted(vertex=vertex, name=f"[context] load {name.text}"))
        image = self.layouts(layout, name.platform)
        self.guard.found_image(name.text, None, image.target.digest)
        self.progress.emit(VertexDone(vertex=vertex))
        return _resolved(name, None, image)

    def _check_name(self, name: BaseName) -> None:
        """Check an image that no registry names. Raises PolicyViolated."""
        self.guard.named_image(name.text, None)
        self.guard.pinned_image(name.text, None, None)

    def _local(
        self, reference: ImageReference, platform: Platform, manifest: Digest | None
    ) -> tuple[Image, Descriptor] | None:
        """Return the stored image and the target of its name, None if it is missing.

        ``manifest`` needs no name.
        """
        try:
            size = None if manifest is None else self.catalog.blobs.size(manifest)
            if manifest is not None and size is not None:
                target = Descriptor(media_type=media_types.OCI_MANIFEST, digest=manifest, size=size)
            else:
                target = self.find(ImageName.of(reference)).target
            return self.catalog.image(target, platform), target
        except (ImageNotFound, NoPlatformMatch, BlobNotFound):
            return None
        except BlobDamaged as error:
            drop_damaged(self.catalog.blobs, error.digest)
            return None  # the registry may have an undamaged one


def _resolved(
    name: BaseName,
    reference: ImageReference | None,
    image: Image,
    target: Descriptor | None = None,
    *,
    source: ImageReference | None = None,
    here: Descriptor | None = None,
) -> ResolvedBase:
    """Return the base image; ``target`` is the new target of its name.

    Without one, it is the stored one, ``here``.

    ``source`` is its name at the registry if a lock file adds a digest to it.
    """
    named = target is None
    log.debug("base found", name=name.text, manifest=str(image.target.digest), local=named)
    return ResolvedBase(
        image=BaseImage(
            reference=name.text if reference is None else str(reference),
            manifest=image.target.digest,
            config=image.config,
            layers=image.layers,
        ),
        reference=source or reference,
        target=target or here or image.target,
        named=named,
    )
