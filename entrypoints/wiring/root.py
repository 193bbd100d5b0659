"""The composition root: the use cases of all commands, on the parts that they share.

Names that are imported lazily are imported when the first object is made of them, so that each
command pays for the modules that it uses (lazy.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from img.entrypoints.rootless import BuildHost
from img.entrypoints.settings import Settings
from img.entrypoints.wiring.building import Building
from img.entrypoints.wiring.execution import Execution
from img.entrypoints.wiring.housekeeping import Housekeeping
from img.entrypoints.wiring.images import Images
from img.entrypoints.wiring.injection import Wiring, attributes_of, part, providers
from img.entrypoints.wiring.lazy import is_made, lazy_imports
from img.entrypoints.wiring.registries import Registries
from img.entrypoints.wiring.setup import Setup
from img.entrypoints.wiring.storage import Storage
from img.entrypoints.wiring.system import System

with lazy_imports(__name__):
    from img.application.ports.plugin import PluginContext
    from img.application.usecases.inspect_image import ImageHistory, InspectImage
    from img.application.usecases.load import LoadImage
    from img.application.usecases.login import Login, Logout
    from img.application.usecases.pull import PullImage
    from img.application.usecases.push import PushImage
    from img.application.usecases.registry_contents import (
        ListReferrers,
        ListRepositories,
        ListTags,
    )
    from img.application.usecases.remove_remote import RemoveRemoteImage
    from img.application.usecases.save import SaveImage
    from img.application.usecases.tag import TagImage
    from img.application.usecases.unpack import UnpackImage
    from img.entrypoints.wiring.plugins import add_plugin


class Container(Wiring):
    """All parts, and the use cases on images that need more than one of them."""

    setup = providers.Dependency(instance_of=Setup)
    given = attributes_of(setup)
    system = part(System, setup=setup)
    storage = part(Storage, setup=setup, system=system)
    registries = part(Registries, setup=setup)
    images = part(Images, system=system, storage=storage, registries=registries)
    execution = part(Execution, setup=setup, system=system, storage=storage)
    housekeeping = part(
        Housekeeping,
        setup=setup,
        storage=storage,
        registries=registries,
        images=images,
        execution=execution,
    )
    building = part(
        Building,
        setup=setup,
        system=system,
        storage=storage,
        registries=registries,
        images=images,
        execution=execution,
        housekeeping=housekeeping,
    )

    pull_image = providers.Factory(
        PullImage,
        images=storage.images,
        registry=registries.registry,
        transfer=images.transfer,
        clock=system.clock,
        progress=system.progress,
        lock=storage.lock,
    )
    push_image = providers.Factory(
        PushImage, find=images.find, publish=images.publish, lock=storage.lock
    )
    tag_image = providers.Factory(
        TagImage, images=storage.images, find=images.find, clock=system.clock, lock=storage.lock
    )
    inspect_image = providers.Factory(InspectImage, find=images.find, catalog=images.catalog)
    image_history = providers.Factory(
        ImageHistory, find=images.find, catalog=images.catalog, trees=images.trees
    )
    save_image = providers.Factory(
        SaveImage,
        find=images.find,
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
    unpack_image = providers.Factory(
        UnpackImage,
        find=images.find,
        catalog=images.catalog,
        files=building.write_files,
        lock=storage.lock,
    )
    list_tags = providers.Factory(ListTags, contents=registries.contents)
    list_repositories = providers.Factory(ListRepositories, contents=registries.contents)
    list_referrers = providers.Factory(
        ListReferrers, registry=registries.registry, contents=registries.contents
    )
    remove_remote_image = providers.Factory(RemoveRemoteImage, contents=registries.contents)
    login = providers.Factory(
        Login, registry=registries.registry, credentials=registries.credentials
    )
    logout = providers.Factory(Logout, credentials=registries.credentials)


def open_container(settings: Settings, host: BuildHost) -> Container:
    """Return the container for ``settings``. Raises UsageError for unknown adapters."""
    setup = Setup(
        settings=settings,
        host=host,
        snapshotter=host.snapshotter(settings.snapshotter),
    )
    container = Container(setup=providers.Object(setup))
    for group, title, provider, choice in _extensible_ports(container, settings):
        selector = cast("providers.Selector[object]", provider)
        if choice not in selector.providers:
            add_plugin(
                selector, group, choice, title=title, context=_plugin_context(setup, container)
            )
    return container


def _extensible_ports(
    container: Container, settings: Settings
) -> Iterable[tuple[str, str, object, str]]:
    """Yield the ports of plug-ins: entry point group, title in messages, provider, choice."""
    storage, execution, registries = container.storage, container.execution, container.registries
    yield "blob_store", "blob store", storage.blobs, settings.store
    yield "image_store", "image store", storage.images, settings.store
    yield "snapshotter", "snapshots backend", execution.snapshotter, settings.snapshotter
    yield "executor", "executor", execution.executor, settings.executor
    yield "registry", "registry client", registries.registry, settings.registry
    yield "credential_store", "credential store", registries.credentials, settings.credentials
    yield "progress_sink", "progress display", container.system.progress, settings.progress


def _plugin_context(setup: Setup, container: Container) -> PluginContext:
    return PluginContext(
        state=setup.settings.state,
        platform=setup.settings.platform,
        archive=container.storage.archive,
        credentials=container.registries.credentials,
        insecure_registries=setup.settings.access.insecure,
    )


def close_container(container: Container, host: BuildHost) -> None:
    """Show the last progress, end helper processes, close the database."""
    progress = container.system.progress()
    if is_made(progress):
        progress.close()
    if is_made(executor := container.execution.executor()):
        executor.close()
    host.close()
    container.storage.database().close()
