"""Wiring of the traces of builds: adapters that record, and those that must not be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from img.adapters.linux.id_map import IdMap
from img.entrypoints import trace
from img.entrypoints.lazy import is_made

if TYPE_CHECKING:
    from img.adapters.storage.trace_recorder import TraceRecorder
    from img.entrypoints.rootless import BuildHost
    from img.entrypoints.settings import Settings
    from img.entrypoints.wiring.building import Building
    from img.entrypoints.wiring.execution import Execution
    from img.entrypoints.wiring.images import Images
    from img.entrypoints.wiring.injection import providers
    from img.entrypoints.wiring.registries import Registries
    from img.entrypoints.wiring.setup import Setup
    from img.entrypoints.wiring.storage import Storage
    from img.entrypoints.wiring.system import System


class Parts(Protocol):
    """The parts of a Container (root.py) with adapters of builds."""

    @property
    def system(self) -> System: ...

    @property
    def storage(self) -> Storage: ...

    @property
    def registries(self) -> Registries: ...

    @property
    def images(self) -> Images: ...

    @property
    def execution(self) -> Execution: ...

    @property
    def building(self) -> Building: ...


# With these settings, and the default values of all others, the adapters of a build record.
_ALSO = {
    "executor": ("unshare",),
    "progress": ("plain", "quiet"),
    "snapshotter": ("overlay", "naive"),
}
# These may have any value: the key has what they come from, or they do not change the output.
_ANY = {
    *("state", "platform", "quiet", "emulate", "max_cache", "access", "command", "history"),
    *("keeps_facts", "keep_failed"),
}


def recording(setup: Setup) -> Setup:
    """Return ``setup`` with a recorder if command line, settings and host allow a trace."""
    line, settings = trace.current, setup.settings
    if line is None:
        return setup
    is_own = str(settings.state) == line.state
    if not (is_own and _is_usual(settings) and _is_exact(setup.host, settings.emulate)):
        line.give_up()
        return setup
    from img.adapters.storage.trace_questions import TARGET
    from img.adapters.storage.trace_recorder import TraceRecorder

    recorder = TraceRecorder(line.give_up)
    # The result of an earlier trial of overlays, which the build announces (host_probe_cache.py).
    recorder.ask([TARGET, f"{setup.snapshots}/overlay/refused.json"])
    return replace(setup, recorder=recorder)


def _is_usual(settings: Settings) -> bool:
    return all(
        each.name in _ANY
        or (value := getattr(settings, each.name)) == each.default
        or value in _ALSO.get(each.name, ())
        for each in fields(settings)
    )


def _is_exact(host: BuildHost, emulate: str) -> bool:
    """Tell whether layers do not depend on the host: other builds have caches of their own."""
    if host.id_map not in (IdMap.SAME, IdMap.SUBORDINATE) or host.id_obstacle or host.obstacle:
        return False
    return host.executor_name == "unshare" and not host.cache_namespace(emulate)


def unrecorded(container: Parts) -> dict[str, providers.Provider[Any]]:
    """Return the adapters that do not record, by name: a build that leaves a trace uses none."""
    return {
        "registry": container.registries.registry,
        "credentials": container.registries.credentials,
        "git": container.building.git,
        "web": container.building.web,
        "working_copies": container.building.working_copies,
        "remote_caches": container.registries.remote_caches,
        "shared_stores": container.images.shared_stores,
        "imported": container.building.imported,
        "executor": container.execution.executor,
        "secrets": container.execution.secrets,
        "context_views": container.execution.context_views,
        "cache_mounts": container.execution.cache_mounts,
        "volumes": container.execution.volumes,
        "archive": container.storage.archive,
        "layouts": container.storage.layouts,
        "layout_writer": container.storage.layout_writer,
        "output_files": container.system.output_files,
    }


def kept_trace(container: Parts, recorder: TraceRecorder | None) -> Callable[[], None] | None:
    """Return a function that stores the trace of the build, None if it leaves none."""
    line = trace.current
    if line is None or recorder is None:
        return None
    for name, provider in unrecorded(container).items():
        if is_made(provider()):
            recorder.stop(f"{name} was used")
    return None if recorder.obstacle else partial(line.store, recorder.asked)
