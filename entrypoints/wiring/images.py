"""Wiring of images and layers: how they are found, fetched and published."""

from __future__ import annotations

from img.entrypoints.wiring.injection import Wiring, needs, providers
from img.entrypoints.wiring.lazy import lazy, lazy_imports
from img.entrypoints.wiring.registries import Registries
from img.entrypoints.wiring.storage import Storage
from img.entrypoints.wiring.system import System

with lazy_imports(__name__):
    from img.application.layers.on_demand import Layers
    from img.application.layers.trees import Trees
    from img.application.transfer.blobs import Transfer
    from img.application.transfer.catalog import Catalog
    from img.application.transfer.copy_layout import CopyFromLayout
    from img.application.transfer.find_image import FindImage
    from img.application.transfer.publish import PublishImage
    from img.application.usecases.list_images import ListImages


class Images(Wiring):
    """Images of the store, of registries and of OCI layouts."""

    system = needs(System)
    storage = needs(Storage)
    registries = needs(Registries)

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
    layers = providers.Singleton(
        Layers,
        blobs=storage.blobs,
        origins=storage.origins,
        transfer=transfer,
        progress=system.progress,
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
