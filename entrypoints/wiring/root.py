"""The composition root: the containers of one run.

Each part is imported and made when a command first asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from img.entrypoints.lazy import is_made, lazy_imports
from img.entrypoints.rootless import BuildHost
from img.entrypoints.settings import Settings
from img.entrypoints.wiring.setup import OWN_ADAPTERS, Setup

with lazy_imports(__name__):
    from img.application.ports.plugin import PluginContext
    from img.entrypoints.wiring.building import Building
    from img.entrypoints.wiring.execution import Execution
    from img.entrypoints.wiring.housekeeping import Housekeeping
    from img.entrypoints.wiring.images import Images
    from img.entrypoints.wiring.plugins import add_plugin
    from img.entrypoints.wiring.registries import Registries
    from img.entrypoints.wiring.storage import Storage
    from img.entrypoints.wiring.system import System

if TYPE_CHECKING:
    from img.entrypoints.wiring.injection import providers


class Container:
    """The parts, each a container of dependency_injector with adapters and use cases."""

    def __init__(self, setup: Setup, *, borrows: bool = False) -> None:
        self._setup = setup
        self._borrows = borrows  # the executor and the host of another container

    @cached_property
    def system(self) -> System:
        """The clock, the terminal and the user's files."""
        return System(self._setup)

    @cached_property
    def storage(self) -> Storage:
        """The state directory, and images in files."""
        return Storage(self._setup, self.system)

    @cached_property
    def registries(self) -> Registries:
        """Registries and credentials."""
        return Registries(self._setup)

    @cached_property
    def images(self) -> Images:
        """Images and layers."""
        return Images(self._setup, self.system, self.storage, self.registries)

    @cached_property
    def execution(self) -> Execution:
        """Snapshots and executors."""
        return Execution(self._setup, self.system, self.storage)

    @cached_property
    def housekeeping(self) -> Housekeeping:
        """Garbage collection and checks."""
        return Housekeeping(self._setup, self.storage, self.registries, self.images, self.execution)

    @cached_property
    def building(self) -> Building:
        """Builds."""
        return Building(
            self._setup,
            self.system,
            self.storage,
            self.registries,
            self.images,
            self.execution,
            self.housekeeping,
        )

    @contextmanager
    def with_settings(self, **changes: Any) -> Iterator[Container]:
        """Enter with a container of changed settings that has the executor of this one."""
        settings = replace(self._setup.settings, **changes)
        other = Container(replace(self._setup, settings=settings), borrows=True)
        try:
            _add_plugins(other, settings)
            from img.entrypoints.wiring.injection import providers  # only several builds need it

            other.execution.executor.override(providers.Object(self.execution.executor()))
            yield other
        finally:
            other.close()

    def close(self) -> None:
        """Show the last progress, end helper processes, close the database."""
        made = vars(self)
        if "system" in made and is_made(progress := self.system.progress()):
            progress.close()
        if not self._borrows:
            if "execution" in made and is_made(executor := self.execution.executor()):
                executor.close()
            self._setup.host.close()
        if "storage" in made:
            self.storage.database().close()


def open_container(settings: Settings, host: BuildHost) -> Container:
    """Return the container for ``settings``. Raises UsageError for unknown adapters."""
    setup = Setup(settings=settings, host=host, snapshotter=host.snapshotter(settings.snapshotter))
    container = Container(setup)
    _add_plugins(container, settings)
    return container


def _add_plugins(container: Container, settings: Settings) -> None:
    """Add the adapters of other packages that the settings choose. Raises UsageError."""
    for group, own in OWN_ADAPTERS.items():
        choice = own.choice(settings)
        if choice not in own.names:
            selector = cast("providers.Selector[Any]", _port(container, group))
            add_plugin(
                selector, group, choice, title=own.title, context=_context(container, settings)
            )


def _port(container: Container, group: str) -> providers.Provider[Any]:
    """Return the provider of the port with the entry point group ``img.<group>``."""
    match group:
        case "blob_store":
            return container.storage.blobs
        case "image_store":
            return container.storage.images
        case "snapshotter":
            return container.execution.snapshotter
        case "executor":
            return container.execution.executor
        case "registry":
            return container.registries.registry
        case "credential_store":
            return container.registries.credentials
        case _:
            return container.system.progress


def _context(container: Container, settings: Settings) -> PluginContext:
    return PluginContext(
        state=settings.state,
        platform=settings.platform,
        archive=container.storage.archive,
        credentials=container.registries.credentials,
        insecure_registries=settings.access.insecure,
    )
