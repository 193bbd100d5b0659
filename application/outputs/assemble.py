"""Manifests, configs and indexes of built images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from img.application.log import logger
from img.application.ports.blob_store import BlobStore, store_document
from img.application.ports.cache_store import CacheRecord
from img.application.ports.clock import Clock
from img.application.solver.lookup import Lookup
from img.application.solver.results import Result, Stack
from img.application.transfer.catalog import Image
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.exported_cache import (
    INLINE_FIELD,
    ExportedCache,
    ExportedRecord,
    cache_object,
)
from img.domain.graph.vertex import HistoryItem, Plan
from img.domain.oci.annotations import AnnotationPlace, annotations_at
from img.domain.oci.chain import Layer, chain_ids_of
from img.domain.oci.codec import encode_config, encode_index, encode_manifest
from img.domain.oci.config import History, ImageConfig, fitting_history, squashed_history
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.manifest import Manifest
from img.domain.oci.media_types import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    docker_layer_type,
    oci_layer_type,
)
from img.domain.outputs import AS_BUILT, ImageForm, Squash

if TYPE_CHECKING:
    from img.application.outputs.recompress import LayerVariants
    from img.application.outputs.squash import SquashLayers

log = logger("assembly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assemble:
    """Documents of built images: config, manifest, index.

    A fully cached build gives the same image as before, byte for byte: the time of creation belongs
    to the contents and is kept in a cache record.
    """

    blobs: BlobStore
    lookup: Lookup
    clock: Clock
    variants: "LayerVariants"
    squash: "SquashLayers"

    def __call__(
        self,
        plan: Plan,
        results: Mapping[int, Result],
        epoch: int | None,
        form: ImageForm = AS_BUILT,
        inline: ExportedCache | None = None,
    ) -> Image:
        """Store the documents of the image in ``form`` and return it. ``epoch`` is in seconds.

        ``inline`` is a cache for the config of the image. Raises InvalidLayer, BlobNotFound,
        StoreFull.
        """
        stack = results[plan.target]
        assert isinstance(stack, Stack)
        epoch = epoch if form.epoch is None else form.epoch
        layers = stack.layers
        base = len(plan.config.diff_ids)
        if form.squash is not None:
            base = base if form.squash is Squash.NEW else 0
            layers = self.squash(layers, base)
        if form.compression or form.rewrite_timestamp:
            layers = self.variants(layers, base, form, epoch)
        config = _config(plan, layers)
        if epoch is not None:
            created = datetime.fromtimestamp(epoch, UTC)
        else:
            created = self._creation(plan, config).created
        config = _dated(plan, config, results, created, epoch)
        if form.squash is not None:
            kept = len(config.history) - len(plan.history) if form.squash is Squash.NEW else 0
            config = replace(config, history=squashed_history(config.history, kept))
        if inline is not None:
            was = [layer.diff_id for layer in stack.layers]
            now = [layer.diff_id for layer in layers]
            contents: dict[Digest, Digest] = dict(
                zip(chain_ids_of(was), chain_ids_of(now), strict=True)
            )
            latest = None if epoch is None else created
            inline = inline.rewritten(dict(zip(was, now, strict=True)), contents, latest)
            config = replace(config, unknown={**config.unknown, INLINE_FIELD: cache_object(inline)})
        stored = store_document(self.blobs, encode_config(config), OCI_CONFIG)
        manifest = _manifest(layers, stored, form)
        manifest = replace(
            manifest, annotations=_annotations(form, AnnotationPlace.MANIFEST, config)
        )
        target = store_document(self.blobs, encode_manifest(manifest), manifest.media_type)
        target = replace(
            target, annotations=_annotations(form, AnnotationPlace.MANIFEST_DESCRIPTOR, config)
        )
        log.debug("image assembled", manifest=str(target.digest), layers=len(manifest.layers))
        return Image(target=target, manifest=manifest, config=config)

    def index(
        self,
        images: Sequence[Image],
        form: ImageForm = AS_BUILT,
        attestations: Sequence[Descriptor] = (),
    ) -> Descriptor:
        """Store an index of ``images``, one for each platform, and return its descriptor.

        The entries of ``attestations`` follow those of the images, as BuildKit has them.
        """
        index = Index(
            manifests=(
                *(replace(image.target, platform=image.config.platform) for image in images),
                *attestations,
            ),
            media_type=OCI_INDEX if form.oci_types else DOCKER_MANIFEST_LIST,
            annotations=annotations_at(form.annotations, AnnotationPlace.INDEX),
        )
        target = store_document(self.blobs, encode_index(index), index.media_type)
        place = AnnotationPlace.INDEX_DESCRIPTOR
        return replace(target, annotations=annotations_at(form.annotations, place))

    def creation(self, plan: Plan, results: Mapping[int, Result]) -> ExportedRecord:
        """Return the time of creation of the image as built, and the cache key of that time."""
        stack = results[plan.target]
        assert isinstance(stack, Stack)
        return self._creation(plan, _config(plan, stack.layers))

    def _creation(self, plan: Plan, config: ImageConfig) -> ExportedRecord:
        history = "\0".join(item.created_by for item in plan.history)
        text = history.encode("utf-8", "surrogateescape")  # a --build-arg may not be UTF-8
        key = Digest.of(b"image\0" + encode_config(config) + text)
        record = self.lookup(key)
        if record is None:
            record = CacheRecord(layer=None, created=self.clock.now(), description="image")
            self.lookup.remember(record, key)
        return ExportedRecord(
            keys=(key,), diff_id=None, created=record.created, description=record.description
        )


def _config(plan: Plan, layers: Sequence[Layer]) -> ImageConfig:
    """Return the config of the image without its own history and dates."""
    return replace(plan.config, diff_ids=tuple(layer.diff_id for layer in layers))


def _dated(
    plan: Plan,
    config: ImageConfig,
    results: Mapping[int, Result],
    created: datetime,
    epoch: int | None,
) -> ImageConfig:
    own = tuple(_history(item, results, created, epoch) for item in plan.history)
    stack = results[plan.target]
    assert isinstance(stack, Stack)
    below = len(stack.layers) - sum(not item.empty_layer for item in own)
    before = fitting_history(config.history, below)
    when = rfc3339(created)
    # A registry may refuse items without a time, and docker shows them as 292 years old.
    dated = (item if item.created else replace(item, created=when) for item in before)
    return replace(config, created=when, history=(*dated, *own))


def _history(
    item: HistoryItem, results: Mapping[int, Result], created: datetime, epoch: int | None
) -> History:
    result = results.get(item.vertex) if item.vertex is not None else None
    layered = isinstance(result, Stack) and result.own is not None
    if layered and epoch is None:
        assert isinstance(result, Stack)
        created = result.created or created
    return History(
        created=rfc3339(created),
        created_by=item.created_by,
        author=item.author,
        comment=item.comment,
        empty_layer=not layered,
    )


def _manifest(layers: Sequence[Layer], config: Descriptor, form: ImageForm) -> Manifest:
    # A manifest uses media types of its own family for all layers, including those of the base.
    layer_type = oci_layer_type if form.oci_types else docker_layer_type
    return Manifest(
        media_type=OCI_MANIFEST if form.oci_types else DOCKER_MANIFEST,
        config=config if form.oci_types else replace(config, media_type=DOCKER_CONFIG),
        layers=tuple(
            Descriptor(
                media_type=layer_type(layer.descriptor.media_type),
                digest=layer.descriptor.digest,
                size=layer.descriptor.size,
                urls=layer.descriptor.urls,
            )
            for layer in layers
        ),
    )


def _annotations(form: ImageForm, place: AnnotationPlace, config: ImageConfig) -> dict[str, str]:
    return annotations_at(form.annotations, place, config.platform)


def rfc3339(moment: datetime) -> str:
    """Return ``moment`` (UTC) in the format of the image-spec, without trailing zeros."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{moment.microsecond:06d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"
