"""What does the steps of a build, put together from adapters."""

from __future__ import annotations  # so that types are not imported

from typing import TYPE_CHECKING

from img.entrypoints import exchange_factories as exchange
from img.entrypoints.adapters_container import Adapters
from img.entrypoints.housekeeping_container import Housekeeping
from img.entrypoints.injection import providers
from img.entrypoints.lazy import at_first_use, later

if TYPE_CHECKING:
    from img.application.cache_import.imported import ImportedCaches
    from img.application.solver.contexts import Contexts


class Steps(Adapters):
    """Planning, solving, and what both stand on."""

    catalog = providers.Singleton(
        later("img.application.transfer.catalog.Catalog"),
        blobs=Adapters.blobs,
    )
    find_image = providers.Factory(
        later("img.application.transfer.find_image.FindImage"),
        images=Adapters.images,
        catalog=catalog,
    )
    transfer = providers.Singleton(
        later("img.application.transfer.blobs.Transfer"),
        blobs=Adapters.blobs,
        origins=Adapters.origins,
        indexes=Adapters.indexes,
        archive=Adapters.archive,
        registry=Adapters.registry,
    )
    layers = providers.Singleton(
        later("img.application.layers.on_demand.Layers"),
        blobs=Adapters.blobs,
        origins=Adapters.origins,
        transfer=transfer,
        progress=Adapters.progress,
    )
    trees = providers.Singleton(
        later("img.application.layers.trees.Trees"),
        layers=layers,
        indexes=Adapters.indexes,
        archive=Adapters.archive,
    )
    owners = providers.Singleton(later("img.application.solver.owners.Owners"), trees=trees)
    roots = providers.Singleton(
        later("img.application.solver.roots.Roots"), snapshotter=Adapters.snapshotter, trees=trees
    )
    copy = providers.Singleton(
        later("img.application.solver.copy_files.CopyIntoLayer"),
        archive=Adapters.archive,
        blobs=Adapters.blobs,
        trees=trees,
        owners=owners,
        scratch=Adapters.scratch,
        clock=Adapters.clock,
    )
    copy_from_layout = providers.Factory(
        later("img.application.transfer.copy_layout.CopyFromLayout"),
        layouts=Adapters.layouts,
        blobs=Adapters.blobs,
        catalog=catalog,
    )
    imported: providers.Provider[ImportedCaches] = providers.Singleton(
        at_first_use(exchange.imported),
        Adapters.registry,
        copy_from_layout,
        transfer,
        Adapters.indexes,
        Adapters.archive,
        Adapters.origins,
        Adapters.progress,
        Adapters.cache_variant,
    )
    lookup = providers.Singleton(
        later("img.application.solver.lookup.Lookup"),
        cache=Adapters.cache,
        blobs=Adapters.blobs,
        imported=imported,
    )
    mount_all = providers.Factory(
        later("img.application.solver.mounts.MountAll"),
        roots=roots,
        views=Adapters.context_views,
        copy=copy,
        secrets=Adapters.secrets,
        caches=Adapters.cache_mounts,
        imported=providers.Factory(exchange.imported_mounts, imported),
    )
    execute = providers.Factory(
        later("img.application.solver.execute.ExecuteProcess"),
        executor=Adapters.announced,
        roots=roots,
        mount=mount_all,
        archive=Adapters.archive,
        blobs=Adapters.blobs,
        trees=trees,
    )
    fetch_file = providers.Factory(
        later("img.application.solver.fetch_url.FetchFile"),
        web=Adapters.web,
        secrets=Adapters.secrets,
        blobs=Adapters.blobs,
        lookup=lookup,
        clock=Adapters.clock,
    )
    fetch_repository = providers.Factory(
        later("img.application.solver.fetch_git.FetchRepository"),
        git=Adapters.git,
        secrets=Adapters.secrets,
        archive=Adapters.archive,
        blobs=Adapters.blobs,
        trees=trees,
        lookup=lookup,
        clock=Adapters.clock,
    )
    build_contexts: providers.Provider[Contexts] = providers.Factory(
        later("img.application.solver.contexts.Contexts"),
        local=Adapters.contexts,
        git=fetch_repository,
        web=fetch_file,
        copy=copy,
        lookup=lookup,
        trees=trees,
        scratch=Adapters.scratch,
        clock=Adapters.clock,
        progress=Adapters.progress,
    )
    housekeeping = providers.Container(
        Housekeeping,
        config=Adapters.config,
        images=Adapters.images,
        blobs=Adapters.blobs,
        cache=Adapters.cache,
        origins=Adapters.origins,
        indexes=Adapters.indexes,
        snapshotters=Adapters.snapshotters,
        mounts=Adapters.cache_mounts,
        views=Adapters.context_views,
        lock=Adapters.state_lock,
        catalog=catalog,
        find=find_image,
        archive=Adapters.archive,
        registry=Adapters.registry,
        transfer=transfer,
        compact=Adapters.database.provided.compact,
        digests=Adapters.file_digests,
    )
    solver = providers.Factory(
        later("img.application.solver.solve.Solver"),
        lookup=lookup,
        fetch=providers.Factory(
            later("img.application.solver.fetch_sources.FetchSources"),
            url=fetch_file,
            git=fetch_repository,
        ),
        pull=providers.Factory(
            later("img.application.solver.pull_base.PullLayers"),
            layers=layers,
            images=Adapters.images,
            transfer=transfer,
            clock=Adapters.clock,
        ),
        copy=copy,
        make_directory=providers.Factory(
            later("img.application.solver.make_directory.MakeDirectoryLayer"),
            archive=Adapters.archive,
            blobs=Adapters.blobs,
            trees=trees,
            owners=owners,
            clock=Adapters.clock,
        ),
        execute=execute,
        foresee=providers.Factory(
            later("img.application.solver.skip_cached_stages.Foresee"),
            lookup=lookup,
            copy=copy,
            execute=execute,
        ),
        clock=Adapters.clock,
        progress=Adapters.progress,
    )
    resolve = providers.Factory(
        later("img.application.planning.resolve.ResolveBases"),
        find=find_image,
        catalog=catalog,
        registry=Adapters.registry,
        transfer=transfer,
        layouts=copy_from_layout,
        progress=Adapters.progress,
    )
    analyse = providers.Factory(
        later("img.application.planning.analyse.AnalyseDockerfile"),
        parser=Adapters.parser,
        resolve=resolve,
    )
