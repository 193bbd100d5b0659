"""The argument of a plug-in's factory, for tests of the plug-in."""

from pathlib import Path

from img.adapters.credential_store.memory import MemoryCredentials
from img.adapters.layer_archive.tar import TarLayerArchive
from img.application.ports.plugin import PluginContext
from img.entrypoints.settings import host_platform


def plugin_context_in(state: Path) -> PluginContext:
    """Return the argument of a plug-in's factory, with the state directory ``state``.

    It holds no credentials, and its archive is the one that img uses.
    """
    return PluginContext(
        state=state,
        platform=host_platform(),
        archive=TarLayerArchive,
        credentials=MemoryCredentials,
        insecure_registries=frozenset(),
    )
