"""What delivers the results of builds, put together."""

from __future__ import annotations  # so that types are not imported

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from img.entrypoints import adapter_factories as make

if TYPE_CHECKING:
    from img.application.outputs.assemble import Assemble
    from img.application.outputs.deliver import DeliverOutputs
    from img.application.outputs.files import WriteFiles
    from img.application.ports.blob_store import BlobStore
    from img.application.ports.clock import Clock
    from img.application.ports.exporter import Exporter
    from img.application.ports.image_store import ImageStore
    from img.application.ports.progress_sink import ProgressSink
    from img.application.solver.lookup import Lookup
    from img.application.solver.roots import Roots
    from img.application.transfer.publish import PublishImage


def assemble_images(
    *, blobs: BlobStore, lookup: Lookup, files: WriteFiles, clock: Clock
) -> Assemble:
    """Return what makes images of layers."""
    from img.application.outputs.assemble import Assemble
    from img.application.outputs.recompress import LayerVariants

    variants = LayerVariants(
        archive=files.archive, blobs=blobs, trees=files.trees, lookup=lookup, clock=clock
    )
    return Assemble(blobs=blobs, lookup=lookup, clock=clock, variants=variants)


def deliver_outputs(
    *,
    assemble: Assemble,
    blobs: BlobStore,
    images: ImageStore,
    publish: PublishImage,
    exporters: Callable[[], Mapping[str, Exporter]],
    files: WriteFiles,
    roots: Roots,
    clock: Clock,
    progress: ProgressSink,
) -> DeliverOutputs:
    """Return what brings results where ``-o`` wants them."""
    from img.application.outputs.deliver import DeliverOutputs
    from img.application.outputs.images import DeliverImages

    delivered = DeliverImages(
        assemble=assemble,
        images=images,
        publish=publish,
        exporters=exporters,
        layouts=partial(make.layout_exporter, blobs),
        places=files.places,
        roots=roots,
        clock=clock,
    )
    return DeliverOutputs(images=delivered, files=files, progress=progress)
