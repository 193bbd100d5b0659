"""Wiring of images and layers, and of the commands on images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from img.entrypoints.wiring.injection import Wiring, attributes_of, needs, providers
from img.entrypoints.wiring.lazy import lazy, lazy_imports
from img.entrypoints.wiring.setup import Setup

with lazy_imports(__name__):
    from img.application.layers.on_demand import ImportedLayers, Layers
    from img.application.layers.trees import Trees
    from img.application.outputs.files import WriteFiles
    from img.application.transfer.blobs import Transfer
    from img.application.transfer.catalog import Catalog
    from img.application.transfer.copy_layout import CopyFromLayout
    from img.application.transfer.find_image import FindImage
    from img.application.transfer.publish import PublishImage
    from img.application.usecases.inspect_image import ImageHistory, InspectImage
    from img.application.usecases.list_images import ListImages
    from img.application.usecases.load import LoadImage
    from img.application.usecases.pull import PullImage
    from img.application.usecases.push import PushImage
    from img.application.usecases.save import SaveImage
    from img.application.usecases.tag import TagImage
    from img.application.usecases.unpack import UnpackImage

if TYPE_CHECKING:
    from img.entrypoints.wiring.registries import Registries
    from img.entrypoints.wiring.storage import Storage
    from img.entrypoints.wiring.system import System


class Images(Wiring):
    """Images of the store, of registries and of OCI layouts."""

    setup = providers.Dependency(instance_of=Setup)
    given = attributes_of(setup)
    system: System = needs()
    storage: Storage = needs()
    registries: Registries = needs()

    catalog = providers.Singleton(Catalog, blobs=storage.blobs)
    find = providers.Factory(FindImage, images=storage.images, catalog=catalog)
    list_images = providers.Factory(ListImages, images=storage.images, catalog=catalog, find=find)
    transfer = providers.Singleton(
        Transfer,
        blobs=storage.blobs,
        origins=storage.origins,
        indexes=storage.indexes,
        archive=storage.archive,
        registry=registries.registry,
    )
    imported_layers = providers.Singleton(ImportedLayers)
    layers = providers.Singleton(
        Layers,
        blobs=storage.blobs,
        origins=storage.origins,
        transfer=transfer,
        progress=system.progress,
        imported=imported_layers,
    )
    trees = providers.Singleton(
        Trees, layers=layers, indexes=storage.indexes, archive=storage.archive
    )
    copy_from_layout = providers.Factory(
        lazy(CopyFromLayout), layouts=storage.layouts, blobs=storage.blobs, catalog=catalog
    )
    publish = providers.Factory(
        lazy(PublishImage),
        registry=registries.registry,
        transfer=transfer,
        catalog=catalog,
        progress=system.progress,
    )

    pull_image = providers.Factory(
        PullImage,
        images=storage.images,
        registry=registries.registry,
        transfer=transfer,
        clock=system.clock,
        progress=system.progress,
        lock=storage.lock,
    )
    push_image = providers.Factory(PushImage, find=find, publish=publish, lock=storage.lock)
    tag_image = providers.Factory(
        TagImage, images=storage.images, find=find, clock=system.clock, lock=storage.lock
    )
    inspect_image = providers.Factory(InspectImage, find=find, catalog=catalog)
    image_history = providers.Factory(ImageHistory, find=find, catalog=catalog, trees=trees)
    save_image = providers.Factory(
        SaveImage,
        find=find,
        blobs=storage.blobs,
        exporters=storage.exporters,
        lock=storage.lock,
        platform=given.settings.platform,
    )
    load_image = providers.Factory(
        LoadImage,
        images=storage.images,
        importer=storage.importer,
        lock=storage.lock,
        clock=system.clock,
    )
    write_files = providers.Factory(
        WriteFiles,
        archive=storage.archive,
        trees=trees,
        scratch=storage.scratch,
        places=system.output_files,
    )
    unpack_image = providers.Factory(
        UnpackImage, find=find, catalog=catalog, files=write_files, lock=storage.lock
    )
