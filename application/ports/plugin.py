"""The context in which adapters of other packages are made (docs/extending.md)."""

from collections.abc import Callable
from pathlib import Path

from img.application.ports.credential_store import CredentialStore
from img.application.ports.layer_archive import LayerArchive
from img.domain.dataclass import dataclass
from img.domain.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """The argument of the factory that an entry point names; a field holds only for this run."""

    state: Path  # the state directory; an adapter makes a directory of its own in it
    platform: Platform  # of this machine
    archive: Callable[[], LayerArchive]  # for snapshotters: unpacks layers
    credentials: Callable[[], CredentialStore]  # for registries
    insecure_registries: frozenset[str]  # hosts that --insecure-registry allows to use plain HTTP
