"""Wiring of images and layers, and of the commands on images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from img.entrypoints.lazy import lazy, lazy_imports
from img.entrypoints.wiring.injection import Wiring, attributes_of, providers
from img.entrypoints.wiring.setup import Setup

with lazy_imports(__name__):
    from img.adapters.disk_image.sif import Sif
    from img.adapters.disk_image.squashfs import Squashfs
    from img.adapters.shared_blobs.opened import OpenedSharedBlobStores
    from img.adapters.signing_identities.sigstore import SigstoreIdentities
    from img.adapters.signing_keys.cosign import CosignKeys
    from img.application.layers.mount_records import MountRecords
    from img.application.layers.on_demand import ImportedLayers, Layers
    from img.application.layers.shared import ShareLayers
    from img.application.layers.trees import Trees
    from img.application.outputs.disk_images import WriteDiskImage
    from img.application.outputs.files import WriteFiles
    from img.application.packages.find import FindPackages
    from img.application.signatures.check import CheckSignatures
    from img.application.signatures.find import FindSignatures
    from img.application.signatures.keep import KeepSignatures
    from img.application.transfer.blobs import Transfer
    from img.application.transfer.catalog import Catalog
    from img.application.transfer.companions import GatherCompanions, StoredCompanions
    from img.application.transfer.copy_layout import CopyFromLayout
    from img.application.transfer.find_image import FindImage
    from img.application.transfer.gather_image import GatherImage
    from img.application.transfer.keep_companions import KeepCompanions
    from img.application.transfer.publish import PublishImage
    from img.application.transfer.stored_referrers import StoredReferrers
    from img.application.usecases.compare_images import CompareImages
    from img.application.usecases.copy_image import CopyImage
    from img.application.usecases.explore_image import ExploreImage
    from img.application.usecases.inspect_image import ImageHistory, InspectImage
    from img.application.usecases.list_attestations import ListAttestations
    from img.application.usecases.list_images import ListImages
    from img.application.usecases.list_packages import ListPackages
    from img.application.usecases.load import LoadImage
    from img.application.usecases.manifest_list import EditManifestList
    from img.application.usecases.pull import PullImage
    from img.application.usecases.push import PushImage
    from img.application.usecases.read_image import ReadImage
    from img.application.usecases.save import SaveImage
    from img.application.usecases.sign_image import SignImage
    from img.application.usecases.tag import TagImage
    from img.application.usecases.unpack import UnpackImage
    from img.application.usecases.verify_image import PlaceOfSignatures, VerifyImage

if TYPE_CHECKING:
    from img.entrypoints.wiring.registries import Registries
    from img.entrypoints.wiring.storage import Storage
    from img.entrypoints.wiring.system import System


class Images(Wiring):
    """Images of the store, of registries and of OCI layouts."""

    def __init__(
        self, setup: Setup, system: System, storage: Storage, registries: Registries
    ) -> None:
        super().__init__()
        given = attributes_of(setup)
        self.catalog = providers.Singleton(Catalog, blobs=storage.blobs)
        self.find = providers.Factory(FindImage, images=storage.images, catalog=self.catalog)
        self.stored_referrers = providers.Factory(
            lazy(StoredReferrers), images=storage.images, catalog=self.catalog
        )
        self.list_images = providers.Factory(
            ListImages, images=storage.images, catalog=self.catalog, find=self.find
        )
        self.transfer = providers.Singleton(
            Transfer,
            blobs=storage.blobs,
            origins=storage.origins,
            indexes=storage.indexes,
            archive=storage.archive,
            registry=registries.registry,
        )
        self.imported_layers = providers.Singleton(ImportedLayers)
        self.cluster_layers = providers.Singleton(ImportedLayers)
        self.layers = providers.Singleton(
            Layers,
            blobs=storage.blobs,
            origins=storage.origins,
            transfer=self.transfer,
            progress=system.progress,
            imported=self.imported_layers,
            shared=self.cluster_layers,
        )
        self.shared_stores = providers.Singleton(
            lazy(OpenedSharedBlobStores), registries.registry, registries.remote_caches
        )
        self.share_layers = providers.Factory(
            lazy(ShareLayers),
            stores=self.shared_stores,
            hook=self.cluster_layers,
            transfer=self.transfer,
            progress=system.progress,
        )
        self.mount_records = providers.Factory(
            lazy(MountRecords), cache=storage.cache, clock=system.clock
        )
        self.trees = providers.Singleton(
            Trees, layers=self.layers, indexes=storage.indexes, archive=storage.archive
        )
        self.copy_from_layout = providers.Factory(
            lazy(CopyFromLayout), layouts=storage.layouts, blobs=storage.blobs, catalog=self.catalog
        )
        self.publish = providers.Factory(
            lazy(PublishImage),
            registry=registries.registry,
            transfer=self.transfer,
            catalog=self.catalog,
            progress=system.progress,
        )
        self.stored_companions = providers.Factory(
            lazy(StoredCompanions), referrers=self.stored_referrers, images=storage.images
        )
        self.keep_companions = providers.Factory(
            lazy(KeepCompanions),
            publish=self.publish,
            images=storage.images,
            clock=system.clock,
        )

        self.pull_image = providers.Factory(
            PullImage,
            images=storage.images,
            registry=registries.registry,
            transfer=self.transfer,
            clock=system.clock,
            progress=system.progress,
            lock=storage.lock,
        )
        self.push_image = providers.Factory(
            PushImage,
            find=self.find,
            publish=self.publish,
            companions=self.stored_companions,
            keep=self.keep_companions,
            lock=storage.lock,
        )
        self.tag_image = providers.Factory(
            TagImage, images=storage.images, find=self.find, clock=system.clock, lock=storage.lock
        )
        self.inspect_image = providers.Factory(InspectImage, find=self.find, catalog=self.catalog)
        self.read_image = providers.Factory(
            ReadImage,
            find=self.find,
            catalog=self.catalog,
            trees=self.trees,
            lock=storage.lock,
        )
        self.image_history = providers.Factory(
            ImageHistory, find=self.find, catalog=self.catalog, trees=self.trees
        )
        self.find_packages = providers.Factory(FindPackages, trees=self.trees)
        self.list_packages = providers.Factory(
            ListPackages,
            find=self.find,
            catalog=self.catalog,
            packages=self.find_packages,
            lock=storage.lock,
        )
        self.compare_images = providers.Factory(
            CompareImages,
            find=self.find,
            catalog=self.catalog,
            packages=self.find_packages,
            lock=storage.lock,
        )
        self.explore_image = providers.Factory(
            ExploreImage,
            find=self.find,
            catalog=self.catalog,
            trees=self.trees,
            lock=storage.lock,
        )
        self.save_image = providers.Factory(
            SaveImage,
            find=self.find,
            companions=self.stored_companions,
            blobs=storage.blobs,
            exporters=storage.exporters,
            lock=storage.lock,
            platform=given.settings.platform,
        )
        self.load_image = providers.Factory(
            LoadImage,
            images=storage.images,
            importer=storage.importer,
            lock=storage.lock,
            clock=system.clock,
        )
        self.gather = providers.Factory(
            GatherImage,
            find=self.find,
            registry=registries.registry,
            transfer=self.transfer,
            layouts=self.copy_from_layout,
            importer=storage.importer,
            progress=system.progress,
        )
        self.copy_image = providers.Factory(
            CopyImage,
            gather=self.gather,
            companions=providers.Factory(
                lazy(GatherCompanions),
                gather=self.gather,
                contents=registries.contents,
                stored=self.stored_companions,
            ),
            keep=self.keep_companions,
            publish=self.publish,
            catalog=self.catalog,
            images=storage.images,
            exporters=storage.exporters,
            layouts=storage.layout_writer,
            places=system.output_files,
            clock=system.clock,
            lock=storage.lock,
            platform=given.settings.platform,
        )
        self.list_attestations = providers.Factory(
            lazy(ListAttestations),
            find=self.find,
            gather=self.gather,
            transfer=self.transfer,
            catalog=self.catalog,
            referrers=self.stored_referrers,
            contents=registries.contents,
            lock=storage.lock,
        )
        self.edit_manifest_list = providers.Factory(
            EditManifestList,
            gather=self.gather,
            transfer=self.transfer,
            catalog=self.catalog,
            images=storage.images,
            clock=system.clock,
            lock=storage.lock,
        )
        self.write_files = providers.Factory(
            WriteFiles,
            archive=storage.archive,
            trees=self.trees,
            scratch=storage.scratch,
            places=system.output_files,
        )
        self.write_disk_image = providers.Factory(
            lazy(WriteDiskImage),
            formats=providers.Dict(
                squashfs=providers.Factory(lazy(Squashfs), storage.scratch).provider,
                sif=providers.Factory(lazy(Sif), storage.scratch).provider,
            ),
            trees=self.trees,
            scratch=storage.scratch,
            places=system.output_files,
        )
        self.unpack_image = providers.Factory(
            UnpackImage,
            find=self.find,
            catalog=self.catalog,
            files=self.write_files,
            lock=storage.lock,
        )
        self.signing_keys = providers.Singleton(lazy(CosignKeys))
        self.signing_identities = providers.Singleton(lazy(SigstoreIdentities))
        self.find_signatures = providers.Factory(
            lazy(FindSignatures),
            registry=registries.registry,
            contents=registries.contents,
            transfer=self.transfer,
            images=storage.images,
            stored=self.stored_referrers,
        )
        self.check_signatures = providers.Factory(lazy(CheckSignatures), find=self.find_signatures)
        place = providers.Factory(lazy(PlaceOfSignatures), gather=self.gather, find=self.find)
        self.verify_image = providers.Factory(
            lazy(VerifyImage), place=place, check=self.check_signatures, lock=storage.lock
        )
        self.sign_image = providers.Factory(
            lazy(SignImage),
            place=place,
            keep=providers.Factory(
                lazy(KeepSignatures),
                find=self.find_signatures,
                publish=self.publish,
                images=storage.images,
                clock=system.clock,
            ),
            attestations=self.list_attestations,
            catalog=self.catalog,
            lock=storage.lock,
        )
