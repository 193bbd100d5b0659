"""The composition root: what is made of what, by configuration.

adapter_factories.py makes the adapters; use cases and the solver are imported when they are made,
so that a command pays for what it uses.
"""

from __future__ import annotations  # so that types are not imported

from typing import TYPE_CHECKING

from dependency_injector import containers, providers

from img.entrypoints import adapter_factories as make
from img.entrypoints import exchange_factories as exchange
from img.entrypoints import registry_factories as registries
from img.entrypoints.housekeeping_container import Housekeeping
from img.entrypoints.later import later
from img.entrypoints.output_parts import assemble_images, deliver_outputs

if TYPE_CHECKING:
    from img.adapters.linux.database import Database
    from img.adapters.linux.ownership import Ownership
    from img.application.cache_import.imported import ImportedCaches
    from img.application.outputs.files import WriteFiles
    from img.application.ports.blob_origins import BlobOrigins
    from img.application.ports.blob_store import BlobStore
    from img.application.ports.cache_mounts import CacheMounts
    from img.application.ports.cache_store import CacheStore
    from img.application.ports.clock import Clock
    from img.application.ports.context_source import ContextSource
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
    from img.application.ports.registry import Registry
    from img.application.ports.registry_contents import RegistryContents
    from img.application.ports.scratch_space import ScratchSpace
    from img.application.ports.secret_source import SecretSource
    from img.application.ports.snapshotter import Snapshotter
    from img.application.ports.state_lock import StateLock
    from img.application.ports.web import WebFetcher
    from img.application.solver.announce import AnnouncedExecutor
    from img.application.solver.contexts import Contexts
    from img.application.usecases.build import BuildImage
    from img.application.usecases.check import (
        CheckDockerfile,
        ListTargets,
        OutlineDockerfile,
    )
    from img.application.usecases.inspect_image import InspectImage
    from img.application.usecases.list_images import ListImages
    from img.application.usecases.load import LoadImage
    from img.application.usecases.login import Login, Logout
    from img.application.usecases.pull import PullImage
    from img.application.usecases.push import PushImage
    from img.application.usecases.save import SaveImage
    from img.application.usecases.tag import TagImage
    from img.application.usecases.unpack import UnpackImage
    from img.entrypoints.rootless import BuildHost
    from img.entrypoints.settings import Settings


class Container(containers.DeclarativeContainer):
    """Wiring only: the annotation is the port, the choice is configuration."""

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
    origins: providers.Provider[BlobOrigins] = providers.Singleton(make.sqlite_origins, database)
    indexes: providers.Provider[IndexStore] = providers.Singleton(make.file_indexes, config.state)
    cache_variant: providers.Provider[str] = providers.Callable(
        make.cache_variant, host, config.emulate, config.snapshotter
    )
    cache: providers.Provider[CacheStore] = providers.Singleton(
        make.sqlite_cache, database, cache_variant
    )
    file_digests: providers.Provider[FileDigestStore] = providers.Singleton(
        make.sqlite_digests, database
    )
    archive: providers.Provider[LayerArchive] = providers.Singleton(make.tar_archive, ownership)
    parser: providers.Provider[DockerfileParser] = providers.Singleton(make.parser)
    overlay: providers.Provider[Snapshotter] = providers.Singleton(
        make.overlay, config.snapshots, archive, ownership
    )
    naive: providers.Provider[Snapshotter] = providers.Singleton(
        make.naive, config.snapshots, archive, ownership
    )
    fuse: providers.Provider[Snapshotter] = providers.Singleton(
        make.fuse, config.snapshots, archive, ownership
    )
    snapshotter: providers.Provider[Snapshotter] = providers.Selector(
        config.snapshotter,
        auto=providers.Singleton(make.auto, config.snapshots, overlay.provider, naive.provider),
        overlay=overlay,
        naive=naive,
        fuse=fuse,
    )
    executor: providers.Provider[Executor] = providers.Selector(
        config.executor,
        **dict.fromkeys(
            make.OWN_EXECUTORS, providers.Singleton(make.of_host, host, config.emulate)
        ),
        scripted=providers.Singleton(make.scripted),
    )
    credentials: providers.Provider[CredentialStore] = providers.Selector(
        config.credentials,
        docker=providers.Singleton(registries.docker_credentials, host, config.access),
    )
    rules = providers.Singleton(registries.rules)
    registry: providers.Provider[Registry] = providers.Selector(
        config.registry,
        oras=providers.Singleton(registries.oras, credentials, config.access, rules),
    )
    registry_contents: providers.Provider[RegistryContents] = providers.Singleton(
        registries.contents, credentials, config.access, rules
    )
    progress: providers.Provider[ProgressSink] = providers.Selector(
        config.progress,
        plain=providers.Singleton(make.plain),
        tty=providers.Singleton(make.terminal),
        quiet=providers.Singleton(make.quiet),
    )
    announced: providers.Provider[AnnouncedExecutor] = providers.Singleton(
        make.announced, executor, progress, snapshotter, config.runs_by, config.resources
    )
    clock: providers.Provider[Clock] = providers.Singleton(make.clock)
    scratch: providers.Provider[ScratchSpace] = providers.Singleton(make.scratch, config.state)
    state_lock: providers.Provider[StateLock] = providers.Singleton(make.state_lock, config.state)
    contexts: providers.Provider[ContextSource] = providers.Singleton(
        make.local_contexts, file_digests, archive, scratch
    )
    git: providers.Provider[GitRepositories] = providers.Singleton(make.git, config.state)
    web: providers.Provider[WebFetcher] = providers.Singleton(make.web)
    layouts: providers.Provider[ImageLayouts] = providers.Singleton(make.directory_layouts)

    secrets: providers.Provider[SecretSource] = providers.Singleton(
        make.local_secrets, config.secrets, config.agents, ownership
    )
    cache_mounts: providers.Provider[CacheMounts] = providers.Singleton(
        make.cache_directories, config.cache_mounts, ownership
    )

    catalog = providers.Singleton(later("img.application.catalog.Catalog"), blobs=blobs)
    transfer = providers.Singleton(
        later("img.application.transfer.Transfer"),
        blobs=blobs,
        origins=origins,
        indexes=indexes,
        archive=archive,
        registry=registry,
    )
    layers = providers.Singleton(
        later("img.application.layers.Layers"),
        blobs=blobs,
        origins=origins,
        transfer=transfer,
        progress=progress,
    )
    trees = providers.Singleton(
        later("img.application.trees.Trees"), layers=layers, indexes=indexes, archive=archive
    )
    owners = providers.Singleton(later("img.application.solver.owners.Owners"), trees=trees)
    roots = providers.Singleton(
        later("img.application.solver.roots.Roots"), snapshotter=snapshotter, trees=trees
    )
    copy = providers.Singleton(
        later("img.application.solver.copy_files.CopyIntoLayer"),
        archive=archive,
        blobs=blobs,
        trees=trees,
        owners=owners,
        scratch=scratch,
        clock=clock,
    )
    copy_from_layout = providers.Factory(
        later("img.application.layouts.CopyFromLayout"),
        layouts=layouts,
        blobs=blobs,
        catalog=catalog,
    )
    imported: providers.Provider[ImportedCaches] = providers.Singleton(
        exchange.imported,
        registry,
        copy_from_layout,
        transfer,
        indexes,
        archive,
        origins,
        progress,
        cache_variant,
    )
    lookup = providers.Singleton(
        later("img.application.solver.lookup.Lookup"),
        cache=cache,
        blobs=blobs,
        imported=imported,
    )
    mount_all = providers.Factory(
        later("img.application.solver.mounts.MountAll"),
        roots=roots,
        copy=copy,
        secrets=secrets,
        caches=cache_mounts,
        imported=imported.provided.mount,
    )
    execute = providers.Factory(
        later("img.application.solver.execute.ExecuteProcess"),
        executor=announced,
        roots=roots,
        mount=mount_all,
        archive=archive,
        blobs=blobs,
        trees=trees,
    )
    fetch_file = providers.Factory(
        later("img.application.solver.fetch_url.FetchFile"),
        web=web,
        secrets=secrets,
        blobs=blobs,
        lookup=lookup,
        clock=clock,
    )
    fetch_repository = providers.Factory(
        later("img.application.solver.fetch_git.FetchRepository"),
        git=git,
        secrets=secrets,
        archive=archive,
        blobs=blobs,
        trees=trees,
        lookup=lookup,
        clock=clock,
    )
    build_contexts: providers.Provider[Contexts] = providers.Factory(
        later("img.application.solver.contexts.Contexts"),
        local=contexts,
        git=fetch_repository,
        web=fetch_file,
        copy=copy,
        lookup=lookup,
        trees=trees,
        scratch=scratch,
        clock=clock,
        progress=progress,
    )
    housekeeping = providers.Container(
        Housekeeping,
        config=config,
        images=images,
        blobs=blobs,
        cache=cache,
        origins=origins,
        indexes=indexes,
        snapshotters=providers.Singleton(make.every, snapshotter, overlay, naive, fuse),
        mounts=cache_mounts,
        lock=state_lock,
        catalog=catalog,
        archive=archive,
        registry=registry,
        transfer=transfer,
    )
    solver = providers.Factory(
        later("img.application.solver.solve.Solver"),
        lookup=lookup,
        fetch=providers.Factory(
            later("img.application.solver.fetch.FetchSources"),
            url=fetch_file,
            git=fetch_repository,
        ),
        pull=providers.Factory(
            later("img.application.solver.pull_base.PullLayers"),
            layers=layers,
            images=images,
            transfer=transfer,
            clock=clock,
        ),
        copy=copy,
        make_directory=providers.Factory(
            later("img.application.solver.make_directory.MakeDirectoryLayer"),
            archive=archive,
            blobs=blobs,
            trees=trees,
            owners=owners,
            clock=clock,
        ),
        execute=execute,
        foresee=providers.Factory(
            later("img.application.solver.foresee.Foresee"),
            lookup=lookup,
            copy=copy,
            execute=execute,
        ),
        clock=clock,
        progress=progress,
    )
    resolve = providers.Factory(
        later("img.application.planning.resolve.ResolveBases"),
        images=images,
        catalog=catalog,
        registry=registry,
        transfer=transfer,
        layouts=copy_from_layout,
        progress=progress,
    )
    plan_stages = providers.Factory(
        later("img.application.usecases.check.PlanStages"), resolve=resolve
    )
    check_dockerfile: providers.Provider[CheckDockerfile] = providers.Factory(
        later("img.application.usecases.check.CheckDockerfile"),
        dockerfiles=build_contexts,
        parser=parser,
        plan=plan_stages,
        lock=state_lock,
    )
    outline_dockerfile: providers.Provider[OutlineDockerfile] = providers.Factory(
        later("img.application.usecases.check.OutlineDockerfile"),
        dockerfiles=build_contexts,
        parser=parser,
        plan=plan_stages,
        lock=state_lock,
    )
    list_targets: providers.Provider[ListTargets] = providers.Factory(
        later("img.application.usecases.check.ListTargets"),
        dockerfiles=build_contexts,
        parser=parser,
    )
    output_files: providers.Provider[OutputFiles] = providers.Singleton(make.output_files)
    exporters = providers.Singleton(make.exporters, blobs)
    write_files: providers.Provider[WriteFiles] = providers.Factory(
        later("img.application.outputs.files.WriteFiles"),
        archive=archive,
        trees=trees,
        scratch=scratch,
        places=output_files,
    )
    publish = providers.Factory(
        later("img.application.publish.PublishImage"),
        registry=registry,
        transfer=transfer,
        catalog=catalog,
        progress=progress,
    )
    assemble = providers.Factory(
        assemble_images, blobs=blobs, lookup=lookup, files=write_files, clock=clock
    )
    deliver = providers.Factory(
        deliver_outputs,
        assemble=assemble,
        blobs=blobs,
        images=images,
        publish=publish,
        exporters=exporters.provider,
        files=write_files,
        roots=roots,
        clock=clock,
        progress=progress,
    )
    build_image: providers.Provider[BuildImage] = providers.Factory(
        later("img.application.usecases.build.BuildImage"),
        contexts=build_contexts,
        plan=providers.Factory(
            later("img.application.planning.plan.PlanBuild"),
            parser=parser,
            resolve=resolve,
        ),
        solver=solver,
        layers=layers,
        deliver=deliver,
        imported=imported,
        leave=providers.Factory(
            exchange.leave_caches,
            registry,
            providers.Singleton(make.layout_writer),
            transfer,
            mount_all,
            assemble,
            imported,
            progress,
        ),
        programs=providers.Singleton(make.binfmt, config.platform),
        progress=progress,
        lock=state_lock,
        tidy=housekeeping.keep_tidy,
    )
    pull_image: providers.Provider[PullImage] = providers.Factory(
        later("img.application.usecases.pull.PullImage"),
        images=images,
        registry=registry,
        transfer=transfer,
        clock=clock,
        progress=progress,
        lock=state_lock,
    )
    push_image: providers.Provider[PushImage] = providers.Factory(
        later("img.application.usecases.push.PushImage"),
        images=images,
        publish=publish,
        lock=state_lock,
    )
    tag_image: providers.Provider[TagImage] = providers.Factory(
        later("img.application.usecases.tag.TagImage"), images=images, clock=clock, lock=state_lock
    )
    list_images: providers.Provider[ListImages] = providers.Factory(
        later("img.application.usecases.list_images.ListImages"), images=images, catalog=catalog
    )
    inspect_image: providers.Provider[InspectImage] = providers.Factory(
        later("img.application.usecases.inspect_image.InspectImage"),
        images=images,
        catalog=catalog,
    )
    save_image: providers.Provider[SaveImage] = providers.Factory(
        later("img.application.usecases.save.SaveImage"),
        images=images,
        blobs=blobs,
        exporters=exporters,
        lock=state_lock,
        platform=config.platform,
    )
    unpack_image: providers.Provider[UnpackImage] = providers.Factory(
        later("img.application.usecases.unpack.UnpackImage"),
        images=images,
        catalog=catalog,
        files=write_files,
        lock=state_lock,
    )
    load_image: providers.Provider[LoadImage] = providers.Factory(
        later("img.application.usecases.load.LoadImage"),
        images=images,
        importer=providers.Singleton(make.importer, blobs),
        lock=state_lock,
        clock=clock,
    )
    login: providers.Provider[Login] = providers.Factory(
        later("img.application.usecases.login.Login"), registry=registry, credentials=credentials
    )
    logout: providers.Provider[Logout] = providers.Factory(
        later("img.application.usecases.login.Logout"), credentials=credentials
    )


def open_container(settings: Settings, host: BuildHost) -> Container:
    """Return the container for ``settings``. Raises UsageError for what no adapter is called."""
    from img.entrypoints.plugins import add_plugins

    container = Container(host=providers.Object(host))
    snapshotter = host.snapshotter(settings.snapshotter)
    container.config.from_dict(
        {
            "state": settings.state,
            "snapshots": make.snapshots_of(settings.state, host),
            "store": settings.store,
            "snapshotter": snapshotter,
            "executor": settings.executor,
            "runs_by": (*_described(settings, host), snapshotter),
            "emulate": settings.emulate,
            "registry": settings.registry,
            "credentials": settings.credentials,
            "platform": settings.platform,
            "progress": settings.progress,
            "secrets": settings.secrets,
            "agents": settings.agents,
            "resources": settings.resources,
            "max_cache": settings.max_cache,
            "cache_mounts": settings.state / "mounts" / host.ids,
            "access": settings.access,
        }
    )
    add_plugins(container, settings)
    return container


def _described(settings: Settings, host: BuildHost) -> tuple[str, str]:
    if settings.executor not in make.OWN_EXECUTORS:
        return settings.executor, ""
    return host.described(settings.emulate)


def close_container(container: Container, host: BuildHost) -> None:
    """Show what is left to show, end helper processes, close the database."""
    container.progress().close()
    if host.fork_server is not None:
        container.executor().close()
    container.database().close()
