"""The composition root: the containers of one run.

Each part is imported and made when a command first asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    from img.entrypoints.wiring.dockerfiles import Dockerfiles
    from img.entrypoints.wiring.execution import Execution
    from img.entrypoints.wiring.housekeeping import Housekeeping
    from img.entrypoints.wiring.images import Images
    from img.entrypoints.wiring.plugins import add_plugin
    from img.entrypoints.wiring.registries import Registries
    from img.entrypoints.wiring.steps import Steps
    from img.entrypoints.wiring.storage import Storage
    from img.entrypoints.wiring.system import System
    from img.entrypoints.wiring.tracing import kept_trace, recording

if TYPE_CHECKING:
    from img.domain.options.secrets import AgentSpec, SecretSpec
    from img.domain.resources import Resources
    from img.entrypoints.settings import RegistryAccess
    from img.entrypoints.wiring.injection import providers


class Container:
    """The parts, each a container of dependency_injector with adapters and use cases."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

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
        return Housekeeping(
            self._setup,
            self.system,
            self.storage,
            self.registries,
            self.images,
            self.execution,
        )

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

    @cached_property
    def dockerfiles(self) -> Dockerfiles:
        """Reading of Dockerfiles without a build."""
        return Dockerfiles(self.storage, self.building)

    @cached_property
    def steps(self) -> Steps:
        """Single steps."""
        return Steps(self.storage, self.images, self.execution, self.building)

    def with_access(self, access: RegistryAccess) -> Container:
        """Return a container with another access to registries.

        It shares the state, the progress and the steps with this one, and must not be closed.
        """
        settings = replace(self._setup.settings, access=access)
        other = Container(replace(self._setup, settings=settings))
        for part in ("system", "storage", "execution"):
            setattr(other, part, getattr(self, part))
        _add_plugins(other, settings, ("registry", "credential_store"))
        return other

    def with_steps(
        self,
        secrets: tuple[SecretSpec, ...],
        agents: tuple[AgentSpec, ...],
        resources: Resources,
    ) -> Container:
        """Return a container of steps with these secrets and limits.

        It shares all else with this one, and must not be closed.
        """
        from img.entrypoints.wiring.injection import providers  # only several builds need it

        settings = replace(
            self._setup.settings, secrets=secrets, agents=agents, resources=resources
        )
        other = Container(replace(self._setup, settings=settings))
        for part in ("system", "storage", "registries", "images", "housekeeping"):
            setattr(other, part, getattr(self, part))
        for shared, own in (
            (self.execution.executor, other.execution.executor),
            (self.execution.snapshotter, other.execution.snapshotter),
            (self.execution.context_views, other.execution.context_views),
            (self.execution.cache_mounts, other.execution.cache_mounts),
            (self.building.imported, other.building.imported),
            (self.building.lookup, other.building.lookup),
            (self.building.roots, other.building.roots),
            (self.building.workers, other.building.workers),
        ):
            own.override(providers.Object(shared()))
        return other

    @property
    def records(self) -> bool:
        """True if this command records its build."""
        return self._setup.settings.history is not None

    @property
    def has_cluster(self) -> bool:
        """True if steps run on a cluster."""
        return self._setup.settings.cluster is not None

    def kept_trace(self) -> Callable[[], None] | None:
        """Return a function that stores the trace of the build, None if it leaves none."""
        return kept_trace(self, self._setup.recorder)

    def note_failure(self, error: Exception) -> None:
        """Mark the traces of the run as those of a failure."""
        if self._setup.settings.traced:
            self.system.traces().fail(str(error))

    def announce(self) -> None:
        """Show the executor of a build."""
        self.execution.announced().announce()

    def settle(self) -> None:
        """Wait a little for what a cluster still says about a build that has succeeded."""
        if self.has_cluster and is_made(workers := self.building.workers()):
            workers.settle()

    def close(self) -> None:
        """Show the last progress, send traces, end helper processes, close the database."""
        made = vars(self)
        if "building" in made and is_made(workers := self.building.workers()):
            workers.close()
        if "system" in made:
            if is_made(display := self.system.display()):
                display.close()
            if self._setup.settings.traced:
                self.system.traces().close()
        if "execution" in made and is_made(executor := self.execution.executor()):
            executor.close()
        self._setup.host.close()
        if "storage" in made:
            self.storage.database().close()


def open_container(settings: Settings, host: BuildHost) -> Container:
    """Return the container for ``settings``. Raises UsageError for unknown adapters."""
    setup = Setup(settings=settings, host=host, snapshotter=host.snapshotter(settings.snapshotter))
    container = Container(recording(setup))
    _add_plugins(container, settings, OWN_ADAPTERS)
    return container


def _add_plugins(container: Container, settings: Settings, groups: Iterable[str]) -> None:
    """Add the adapters of other packages that the settings choose. Raises UsageError."""
    for group in groups:
        own = OWN_ADAPTERS[group]
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
            return container.storage.own_blobs
        case "image_store":
            return container.storage.own_images
        case "snapshotter":
            return container.execution.snapshotter
        case "executor":
            return container.execution.executor
        case "registry":
            return container.registries.registry
        case "credential_store":
            return container.registries.credentials
        case _:
            return container.system.display


def _context(container: Container, settings: Settings) -> PluginContext:
    return PluginContext(
        state=settings.state,
        platform=settings.platform,
        archive=container.storage.archive,
        credentials=container.registries.credentials,
        insecure_registries=settings.access.insecure,
    )
