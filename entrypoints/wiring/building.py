"""Wiring of builds: planning, solving, outputs and caches."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from img.entrypoints.lazy import lazy, lazy_imports
from img.entrypoints.wiring.injection import Wiring, attributes_of, providers, select
from img.entrypoints.wiring.setup import Setup

with lazy_imports(__name__):
    from img.adapters.build_context.directory import DirectoryContext
    from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
    from img.adapters.file_digest_store.memory import MemoryFileDigestStore
    from img.adapters.git.program import GitProgram
    from img.adapters.vertex_workers.threads import ThreadWorkers
    from img.adapters.web.requests import RequestsWebFetcher
    from img.adapters.working_copy.git import GitWorkingCopies
    from img.application.outputs.assemble import Assemble
    from img.application.outputs.check_results import CheckResults
    from img.application.outputs.deliver import DeliverOutputs
    from img.application.outputs.images import DeliverImages
    from img.application.outputs.recompress import LayerVariants
    from img.application.outputs.squash import SquashLayers
    from img.application.planning.analyse import AnalyseDockerfile
    from img.application.planning.resolve import ResolveBases
    from img.application.policy.signed_images import CheckSigned
    from img.application.solver.cluster_checkouts import ClusterCheckouts
    from img.application.solver.contexts import Contexts
    from img.application.solver.lookup import FormerLayers, Lookup
    from img.application.solver.observer import Unobserved
    from img.application.solver.owners import Owners
    from img.application.solver.roots import Roots
    from img.application.solver.skip_cached_stages import SkipCachedStages
    from img.application.solver.solve import Solver
    from img.application.solver.steps.copy_files import CopyIntoLayer
    from img.application.solver.steps.execute import ExecuteProcess
    from img.application.solver.steps.fetch_git import FetchRepository
    from img.application.solver.steps.fetch_sources import CheckoutElsewhere, FetchSources
    from img.application.solver.steps.fetch_url import FetchFile
    from img.application.solver.steps.make import MakeSteps
    from img.application.solver.steps.make_directory import MakeDirectoryLayer
    from img.application.solver.steps.mounts import PrepareMounts
    from img.application.solver.steps.pull_base import PullLayers
    from img.application.transfer.pins import NoPins
    from img.application.transfer.source_guard import NoGuard
    from img.application.usecases.bake import BakeTargets
    from img.application.usecases.build import BuildImage
    from img.entrypoints.wiring.attestations import attestations, take_account
    from img.entrypoints.wiring.build_caches import export_caches, imported_caches, imported_mounts
    from img.entrypoints.wiring.clusters import use_of, workers_of
    from img.entrypoints.wiring.policies import policy_guard, result_check

if TYPE_CHECKING:
    from img.application.ports.vertex_workers import VertexWorkers
    from img.application.solver.cluster_use import ClusterUse
    from img.application.solver.observer import StepObserver
    from img.application.transfer.pins import Pins
    from img.application.transfer.source_guard import SourceGuard
    from img.entrypoints.wiring.execution import Execution
    from img.entrypoints.wiring.housekeeping import Housekeeping
    from img.entrypoints.wiring.images import Images
    from img.entrypoints.wiring.registries import Registries
    from img.entrypoints.wiring.storage import Storage
    from img.entrypoints.wiring.system import System


def _checkouts(
    workers: Callable[[], VertexWorkers], cluster: ClusterUse | None
) -> CheckoutElsewhere | None:
    """Return the checkouts by workers of a cluster, None without a cluster."""
    if cluster is None:
        return None
    return ClusterCheckouts(workers=workers(), cluster=cluster)


def _observer(setup: Setup, recorder: StepObserver) -> StepObserver:
    return recorder if setup.settings.history else Unobserved()


def _pins(given: Pins | None) -> Pins:
    return NoPins() if given is None else given


class Building(Wiring):
    """``img build``, and the checks of Dockerfiles."""

    def __init__(
        self,
        setup: Setup,
        system: System,
        storage: Storage,
        registries: Registries,
        images: Images,
        execution: Execution,
        housekeeping: Housekeeping,
    ) -> None:
        super().__init__()
        given = attributes_of(setup)
        self.parser = providers.Singleton(DockerfileParseParser)
        self.git = providers.Singleton(
            lazy(GitProgram),
            given.temporary,
            providers.Factory(
                DirectoryContext, known=providers.Factory(MemoryFileDigestStore)
            ).provider,
        )
        self.web = providers.Singleton(lazy(RequestsWebFetcher))

        self.pins = providers.Singleton(_pins, given.settings.pins)
        self.check_signed = providers.Factory(
            lazy(CheckSigned),
            check=images.check_signatures,
            registry=registries.registry,
            transfer=images.transfer,
            keys=images.signing_keys,
        )
        self.guard: providers.Provider[SourceGuard] = select(
            given.policy_choice,
            none=providers.Singleton(NoGuard),
            given=providers.Singleton(policy_guard, setup, self.check_signed.provider),
        )
        self.owners = providers.Singleton(Owners, trees=images.trees)
        self.roots = providers.Singleton(
            Roots, snapshotter=execution.snapshotter, trees=images.trees
        )
        self.copy = providers.Singleton(
            CopyIntoLayer,
            archive=storage.archive,
            blobs=storage.blobs,
            trees=images.trees,
            owners=self.owners,
            former=providers.Singleton(
                FormerLayers,
                cache=storage.cache,
                blobs=storage.blobs,
                indexes=storage.indexes,
                clock=system.clock,
            ),
            scratch=storage.scratch,
            clock=system.clock,
        )
        self.imported = providers.Singleton(
            lazy(imported_caches),
            registries.registry,
            registries.remote_caches,
            images.imported_layers,
            images.copy_from_layout,
            images.transfer,
            storage.indexes,
            storage.archive,
            storage.origins,
            system.progress,
            storage.cache_namespace,
        )
        self.lookup = providers.Singleton(
            Lookup,
            cache=storage.cache,
            blobs=storage.blobs,
            imported=self.imported,
            shared=images.cluster_layers,
        )
        self.prepare_mounts = providers.Factory(
            PrepareMounts,
            roots=self.roots,
            views=execution.context_views,
            copy=self.copy,
            secrets=execution.secrets,
            caches=execution.cache_mounts,
            imported=providers.Factory(lazy(imported_mounts), self.imported),
        )
        self.execute = providers.Factory(
            ExecuteProcess,
            executor=execution.announced,
            roots=self.roots,
            mount=self.prepare_mounts,
            archive=storage.archive,
            blobs=storage.blobs,
            trees=images.trees,
            retries=given.settings.retries,
            keep_failed=given.settings.keep_failed,
            secret_guard=given.settings.secret_guard,
            limit_s=given.settings.step_limit_s,
        )
        self.fetch_file = providers.Factory(
            FetchFile,
            web=self.web,
            secrets=execution.secrets,
            blobs=storage.blobs,
            lookup=self.lookup,
            clock=system.clock,
            pins=self.pins,
            guard=self.guard,
        )
        self.fetch_repository = providers.Factory(
            FetchRepository,
            git=self.git,
            secrets=execution.secrets,
            archive=storage.archive,
            blobs=storage.blobs,
            trees=images.trees,
            lookup=self.lookup,
            clock=system.clock,
            pins=self.pins,
            of_host=execution.host_secrets,
            guard=self.guard,
        )
        self.contexts = providers.Factory(
            Contexts,
            local=storage.local_contexts,
            git=self.fetch_repository,
            web=self.fetch_file,
            copy=self.copy,
            lookup=self.lookup,
            trees=images.trees,
            scratch=storage.scratch,
            clock=system.clock,
            progress=system.progress,
        )
        self.pull_layers = providers.Factory(
            PullLayers,
            layers=images.layers,
            images=storage.images,
            transfer=images.transfer,
            clock=system.clock,
        )
        self.workers: providers.Provider[VertexWorkers] = select(
            given.step_place,
            here=providers.Singleton(lazy(ThreadWorkers)),
            cluster=providers.Singleton(lazy(workers_of), setup, system.progress),
        )
        self.cluster_use: providers.Provider[ClusterUse | None] = select(
            given.step_place,
            here=providers.Object(None),
            cluster=providers.Singleton(
                use_of,
                setup,
                images.share_layers.provider,
                images.layers,
                images.mount_records.provider,
            ),
        )
        self.make_steps = providers.Factory(
            MakeSteps,
            pull=self.pull_layers,
            fetch=providers.Factory(
                FetchSources,
                url=self.fetch_file,
                git=self.fetch_repository,
                elsewhere=providers.Callable(_checkouts, self.workers.provider, self.cluster_use),
            ),
            copy=self.copy,
            make_directory=providers.Factory(
                MakeDirectoryLayer,
                archive=storage.archive,
                blobs=storage.blobs,
                trees=images.trees,
                owners=self.owners,
                clock=system.clock,
            ),
            execute=self.execute,
        )
        self.solver = providers.Factory(
            Solver,
            lookup=self.lookup,
            pull=self.pull_layers,
            steps=self.make_steps,
            skip=providers.Factory(
                SkipCachedStages,
                lookup=self.lookup,
                steps=self.make_steps,
                clock=system.clock,
            ),
            workers=self.workers,
            cluster=self.cluster_use,
            clock=system.clock,
            progress=system.progress,
            observer=providers.Callable(_observer, setup, system.recorder),
        )
        self.resolve = providers.Factory(
            ResolveBases,
            find=images.find,
            catalog=images.catalog,
            registry=registries.registry,
            transfer=images.transfer,
            layouts=images.copy_from_layout,
            progress=system.progress,
            pins=self.pins,
            guard=self.guard,
        )
        self.analyse = providers.Factory(
            AnalyseDockerfile, parser=self.parser, resolve=self.resolve
        )

        self.assemble = providers.Factory(
            Assemble,
            blobs=storage.blobs,
            lookup=self.lookup,
            clock=system.clock,
            variants=providers.Factory(
                lazy(LayerVariants),
                archive=storage.archive,
                blobs=storage.blobs,
                trees=images.trees,
                lookup=self.lookup,
                clock=system.clock,
            ),
            squash=providers.Factory(
                lazy(SquashLayers),
                archive=storage.archive,
                blobs=storage.blobs,
                trees=images.trees,
                scratch=storage.scratch,
                lookup=self.lookup,
                clock=system.clock,
            ),
        )
        self.working_copies = providers.Singleton(lazy(GitWorkingCopies), os.environ)
        self.take_account = providers.Factory(lazy(take_account), self.working_copies, system.clock)
        self.attest = providers.Factory(
            lazy(attestations),
            storage.blobs,
            images.find_packages.provider,
            self.resolve,
            self.roots,
            execution.announced,
            system.progress,
        )
        self.deliver = providers.Factory(
            DeliverOutputs,
            images=providers.Factory(
                DeliverImages,
                assemble=self.assemble,
                images=storage.images,
                publish=images.publish,
                exporters=storage.exporters.provider,
                layouts=storage.layout_exporter.provider,
                places=system.output_files,
                roots=self.roots,
                clock=system.clock,
                attest=self.attest,
            ),
            files=images.write_files,
            disk_images=images.write_disk_image,
            progress=system.progress,
        )
        self.rules_on_results = providers.Factory(
            lazy(CheckResults), trees=images.trees, packages=images.find_packages
        )
        self.check_results = select(
            given.policy_choice,
            none=providers.Object(lambda _: None),
            given=providers.Factory(result_check, setup, self.rules_on_results.provider),
        )
        self.build_image = providers.Factory(
            BuildImage,
            contexts=self.contexts,
            analyse=self.analyse,
            solver=self.solver,
            layers=images.layers,
            deliver=self.deliver,
            places=system.output_files,
            imported=self.imported,
            export_caches=providers.Factory(
                lazy(export_caches),
                registries.registry,
                registries.remote_caches,
                storage.layout_writer,
                images.transfer,
                self.prepare_mounts,
                self.assemble,
                self.imported,
                images.layers,
                system.progress,
            ),
            programs=system.foreign_programs,
            progress=system.progress,
            lock=storage.lock,
            tidy=housekeeping.tidy_after_build,
            take_account=self.take_account,
            check_results=self.check_results,
        )

        self.bake_targets = providers.Factory(
            BakeTargets,
            lock=storage.lock,
            tidy=housekeeping.tidy_after_build,
        )
