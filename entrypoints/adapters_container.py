"""The adapters, one for each port, by configuration."""

from __future__ import annotations  # so that types are not imported

from typing import TYPE_CHECKING

from img.entrypoints import adapter_factories as make
from img.entrypoints import registry_factories as registries
from img.entrypoints.injection import containers, providers
from img.entrypoints.lazy import at_first_use

if TYPE_CHECKING:
    from img.adapters.storage.ownership import Ownership
    from img.adapters.storage.sqlite import Database
    from img.application.ports.blob_origins import BlobOrigins
    from img.application.ports.blob_store import BlobStore
    from img.application.ports.build_context import ContextSource
    from img.application.ports.cache_mounts import CacheMounts
    from img.application.ports.cache_store import CacheStore
    from img.application.ports.clock import Clock
    from img.application.ports.context_views import ContextViews
    from img.application.ports.credential_store import CredentialStore
    from img.application.ports.dockerfile_parser import DockerfileParser
    from img.application.ports.executor import Executor
    from img.application.ports.file_digest_store import FileDigestStore
    from img.application.ports.git import GitRepositories
    from img.application.ports.image_layout import ImageLayouts
    from img.application.ports.image_store import ImageStore
    from img.application.ports.index_store import IndexStore
    from img.application.ports.layer_archive import LayerArchive
    from img.application.ports.output_files import OutputFiles
    from img.application.ports.progress_sink import ProgressSink
    from img.application.ports.registry import Registry, RegistryContents
    from img.application.ports.scratch_space import ScratchSpace
    from img.application.ports.secret_source import SecretSource
    from img.application.ports.snapshotter import Snapshotter
    from img.application.ports.state_lock import StateLock
    from img.application.ports.web import WebFetcher
    from img.application.solver.announce import AnnouncedExecutor
    from img.entrypoints.rootless import BuildHost


class Adapters(containers.DeclarativeContainer):
    """The annotation is the port, the choice is configuration."""

    config = providers.Configuration(strict=True)
    host: providers.Provider[BuildHost] = providers.Dependency()
    ownership: providers.Provider[Ownership] = providers.Singleton(make.ownership, host)

    database: providers.Provider[Database] = providers.Singleton(make.database, config.state)
    blobs: providers.Provider[BlobStore] = providers.Selector(
        config.store,
        files=providers.Singleton(make.file_blobs, config.state),
        **{"oci-layout": providers.Singleton(make.layout_blobs, config.state)},
        memory=providers.Singleton(make.memory_blobs),
    )
    images: providers.Provider[ImageStore] = providers.Selector(
        config.store,
        files=providers.Singleton(make.sqlite_images, database),
        **{"oci-layout": providers.Singleton(make.layout_images, config.state)},
        memory=providers.Singleton(make.memory_images),
    )
    # What is known beside names and blobs; of another user's state that is nothing.
    origins: providers.Provider[BlobOrigins] = providers.Selector(
        config.records,
        state=providers.Singleton(make.sqlite_origins, database),
        memory=providers.Singleton(make.memory_origins),
    )
    indexes: providers.Provider[IndexStore] = providers.Selector(
        config.records,
        state=providers.Singleton(make.file_indexes, config.state),
        memory=providers.Singleton(make.memory_indexes),
    )
    cache_variant: providers.Provider[str] = providers.Callable(
        make.cache_variant, host, config.emulate, config.snapshotter
    )
    cache: providers.Provider[CacheStore] = providers.Selector(
        config.records,
        state=providers.Singleton(make.sqlite_cache, database, cache_variant),
        memory=providers.Singleton(make.memory_cache),
    )
    file_digests: providers.Provider[FileDigestStore] = providers.Selector(
        config.records,
        state=providers.Singleton(make.sqlite_digests, database),
        memory=providers.Singleton(make.memory_digests),
    )
    archive: providers.Provider[LayerArchive] = providers.Singleton(
        at_first_use(make.tar_archive), ownership
    )
    parser: providers.Provider[DockerfileParser] = providers.Singleton(make.parser)
    overlay: providers.Provider[Snapshotter] = providers.Singleton(
        at_first_use(make.overlay), config.snapshots, archive, ownership
    )
    naive: providers.Provider[Snapshotter] = providers.Singleton(
        at_first_use(make.naive), config.snapshots, archive, ownership
    )
    fuse: providers.Provider[Snapshotter] = providers.Singleton(
        at_first_use(make.fuse), config.snapshots, archive, ownership
    )
    snapshotter: providers.Provider[Snapshotter] = providers.Selector(
        config.snapshotter,
        auto=providers.Singleton(make.auto, config.snapshots, overlay.provider, naive.provider),
        overlay=overlay,
        naive=naive,
        fuse=fuse,
    )
    snapshotters = providers.Singleton(
        make.every,
        snapshotter,
        config.snapshots,
        providers.Dict(overlay=overlay, naive=naive, fuse=fuse),
        config.other_snapshots,
        archive,
        ownership,
    )
    executor: providers.Provider[Executor] = providers.Selector(
        config.executor,
        **dict.fromkeys(
            make.OWN_EXECUTORS,
            providers.Singleton(at_first_use(make.of_host), host, config.emulate),
        ),
        scripted=providers.Singleton(make.scripted),
    )
    credentials: providers.Provider[CredentialStore] = providers.Selector(
        config.credentials,
        docker=providers.Singleton(
            at_first_use(registries.docker_credentials), host, config.access
        ),
    )
    rules = providers.Singleton(registries.rules)
    registry: providers.Provider[Registry] = providers.Selector(
        config.registry,
        oras=providers.Singleton(at_first_use(registries.oras), credentials, config.access, rules),
    )
    registry_contents: providers.Provider[RegistryContents] = providers.Singleton(
        registries.contents, credentials, config.access, rules
    )
    progress: providers.Provider[ProgressSink] = providers.Selector(
        config.progress,
        plain=providers.Singleton(at_first_use(make.plain)),
        tty=providers.Singleton(at_first_use(make.terminal)),
        quiet=providers.Singleton(at_first_use(make.quiet)),
        rawjson=providers.Singleton(at_first_use(make.rawjson)),
    )
    announced: providers.Provider[AnnouncedExecutor] = providers.Singleton(
        make.announced,
        executor,
        progress,
        snapshotter,
        config.runs_by,
        config.resources,
        config.userns,
    )
    clock: providers.Provider[Clock] = providers.Singleton(make.clock)
    scratch: providers.Provider[ScratchSpace] = providers.Selector(
        config.records,
        state=providers.Singleton(make.scratch, config.state),
        memory=providers.Singleton(make.scratch_elsewhere),
    )
    state_lock: providers.Provider[StateLock] = providers.Singleton(make.state_lock, config.state)
    contexts: providers.Provider[ContextSource] = providers.Singleton(
        make.local_contexts, file_digests, archive, scratch
    )
    git: providers.Provider[GitRepositories] = providers.Singleton(
        at_first_use(make.git), config.state
    )
    web: providers.Provider[WebFetcher] = providers.Singleton(at_first_use(make.web))
    layouts: providers.Provider[ImageLayouts] = providers.Singleton(
        at_first_use(make.directory_layouts)
    )

    secrets: providers.Provider[SecretSource] = providers.Singleton(
        at_first_use(make.local_secrets), config.secrets, config.agents, ownership
    )
    context_views: providers.Provider[ContextViews] = providers.Singleton(
        at_first_use(make.context_views), config.snapshots, config.other_snapshots, archive, host
    )
    cache_mounts: providers.Provider[CacheMounts] = providers.Singleton(
        at_first_use(make.cache_directories),
        config.cache_mounts,
        ownership,
        config.other_cache_mounts,
    )

    output_files: providers.Provider[OutputFiles] = providers.Singleton(
        at_first_use(make.output_files)
    )
    exporters = providers.Singleton(make.exporters, blobs)
