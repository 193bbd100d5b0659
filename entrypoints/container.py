"""The composition root: what is made of what, by configuration.

adapter_factories.py makes the adapters; use cases and the solver are imported when they are made,
so that a command pays for what it uses.
"""

from __future__ import annotations  # so that types are not imported

from typing import TYPE_CHECKING

from img.entrypoints import adapter_factories as make
from img.entrypoints import exchange_factories as exchange
from img.entrypoints.injection import providers
from img.entrypoints.lazy import at_first_use, is_made, later, when_called
from img.entrypoints.output_parts import assemble_images, deliver_outputs
from img.entrypoints.steps_container import Steps

if TYPE_CHECKING:
    from img.application.outputs.files import WriteFiles
    from img.application.usecases.build import BuildImage
    from img.application.usecases.check import (
        CheckDockerfile,
        ListTargets,
        OutlineDockerfile,
    )
    from img.application.usecases.inspect_image import ImageHistory, InspectImage
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


class Container(Steps):
    """The use cases, on the adapters (Adapters) and the parts of a build (Steps)."""

    check_dockerfile: providers.Provider[CheckDockerfile] = providers.Factory(
        later("img.application.usecases.check.CheckDockerfile"),
        dockerfiles=Steps.build_contexts,
        analyse=Steps.analyse,
        lock=Steps.state_lock,
    )
    outline_dockerfile: providers.Provider[OutlineDockerfile] = providers.Factory(
        later("img.application.usecases.check.OutlineDockerfile"),
        dockerfiles=Steps.build_contexts,
        analyse=Steps.analyse,
        lock=Steps.state_lock,
    )
    list_targets: providers.Provider[ListTargets] = providers.Factory(
        later("img.application.usecases.check.ListTargets"),
        dockerfiles=Steps.build_contexts,
        parser=Steps.parser,
    )
    write_files: providers.Provider[WriteFiles] = providers.Factory(
        later("img.application.outputs.files.WriteFiles"),
        archive=Steps.archive,
        trees=Steps.trees,
        scratch=Steps.scratch,
        places=Steps.output_files,
    )
    publish = providers.Factory(
        later("img.application.transfer.publish.PublishImage"),
        registry=Steps.registry,
        transfer=Steps.transfer,
        catalog=Steps.catalog,
        progress=Steps.progress,
    )
    assemble = providers.Factory(
        assemble_images,
        blobs=Steps.blobs,
        lookup=Steps.lookup,
        files=write_files,
        clock=Steps.clock,
    )
    deliver = providers.Factory(
        deliver_outputs,
        assemble=assemble,
        blobs=Steps.blobs,
        images=Steps.images,
        publish=publish,
        exporters=Steps.exporters.provider,
        files=write_files,
        roots=Steps.roots,
        clock=Steps.clock,
        progress=Steps.progress,
    )
    build_image: providers.Provider[BuildImage] = providers.Factory(
        later("img.application.usecases.build.BuildImage"),
        contexts=Steps.build_contexts,
        analyse=Steps.analyse,
        solver=Steps.solver,
        layers=Steps.layers,
        deliver=deliver,
        places=Steps.output_files,
        imported=Steps.imported,
        leave=providers.Factory(
            at_first_use(exchange.leave_caches),
            Steps.registry,
            providers.Singleton(at_first_use(make.layout_writer)),
            Steps.transfer,
            Steps.mount_all,
            assemble,
            Steps.imported,
            Steps.progress,
        ),
        programs=providers.Singleton(make.binfmt, Steps.config.platform),
        progress=Steps.progress,
        lock=Steps.state_lock,
        tidy=providers.Factory(when_called, Steps.housekeeping.keep_tidy.provider),
    )
    pull_image: providers.Provider[PullImage] = providers.Factory(
        later("img.application.usecases.pull.PullImage"),
        images=Steps.images,
        registry=Steps.registry,
        transfer=Steps.transfer,
        clock=Steps.clock,
        progress=Steps.progress,
        lock=Steps.state_lock,
    )
    push_image: providers.Provider[PushImage] = providers.Factory(
        later("img.application.usecases.push.PushImage"),
        find=Steps.find_image,
        publish=publish,
        lock=Steps.state_lock,
    )
    tag_image: providers.Provider[TagImage] = providers.Factory(
        later("img.application.usecases.tag.TagImage"),
        images=Steps.images,
        find=Steps.find_image,
        clock=Steps.clock,
        lock=Steps.state_lock,
    )
    list_images: providers.Provider[ListImages] = providers.Factory(
        later("img.application.usecases.list_images.ListImages"),
        images=Steps.images,
        catalog=Steps.catalog,
        find=Steps.find_image,
    )
    inspect_image: providers.Provider[InspectImage] = providers.Factory(
        later("img.application.usecases.inspect_image.InspectImage"),
        find=Steps.find_image,
        catalog=Steps.catalog,
    )
    image_history: providers.Provider[ImageHistory] = providers.Factory(
        later("img.application.usecases.inspect_image.ImageHistory"),
        find=Steps.find_image,
        catalog=Steps.catalog,
        trees=Steps.trees,
    )
    save_image: providers.Provider[SaveImage] = providers.Factory(
        later("img.application.usecases.save.SaveImage"),
        find=Steps.find_image,
        blobs=Steps.blobs,
        exporters=Steps.exporters,
        lock=Steps.state_lock,
        platform=Steps.config.platform,
    )
    unpack_image: providers.Provider[UnpackImage] = providers.Factory(
        later("img.application.usecases.unpack.UnpackImage"),
        find=Steps.find_image,
        catalog=Steps.catalog,
        files=write_files,
        lock=Steps.state_lock,
    )
    load_image: providers.Provider[LoadImage] = providers.Factory(
        later("img.application.usecases.load.LoadImage"),
        images=Steps.images,
        importer=providers.Singleton(make.importer, Steps.blobs, Steps.config.platform),
        lock=Steps.state_lock,
        clock=Steps.clock,
    )
    login: providers.Provider[Login] = providers.Factory(
        later("img.application.usecases.login.Login"),
        registry=Steps.registry,
        credentials=Steps.credentials,
    )
    logout: providers.Provider[Logout] = providers.Factory(
        later("img.application.usecases.login.Logout"), credentials=Steps.credentials
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
            "other_snapshots": make.other_snapshots_of(settings.state, host),
            "store": settings.store,
            "records": "memory" if settings.foreign else "state",
            "snapshotter": snapshotter,
            "executor": settings.executor,
            "runs_by": (*_described(settings, host), snapshotter),
            "emulate": settings.emulate,
            "userns": settings.userns,
            "registry": settings.registry,
            "credentials": settings.credentials,
            "platform": settings.platform,
            "progress": "quiet" if settings.quiet else settings.progress,
            "secrets": settings.secrets,
            "agents": settings.agents,
            "resources": settings.resources,
            "max_cache": settings.max_cache,
            "cache_mounts": settings.state / "mounts" / host.ids,
            "other_cache_mounts": [settings.state / "mounts" / ids for ids in host.other_ids],
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
    progress = container.progress()
    if is_made(progress):
        progress.close()
    if is_made(executor := container.executor()):
        executor.close()
    host.close()
    container.database().close()
