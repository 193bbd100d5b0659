"""Adapters of other packages, found through entry points (docs/extending.md).

A package names a factory under the group ``img.<port>``, such as ``img.executor``; the name of the
entry point is what the user chooses. The factory is called once, with ``Surroundings``, when the
adapter is first needed, and returns it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.entrypoints.settings import FOR_TESTS

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from dependency_injector.containers import Container

    from img.application.ports.credential_store import CredentialStore
    from img.application.ports.layer_archive import LayerArchive
    from img.domain.platform import Platform
    from img.entrypoints.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an adapter may be made of besides its own."""

    state: Path  # the state directory; an adapter makes a folder of its own in it
    platform: "Platform"  # of this machine
    archive: Callable[[], "LayerArchive"]  # for snapshotters: layers to files
    credentials: Callable[[], "CredentialStore"]  # for registries
    insecure_registries: frozenset[str]  # those to talk plain HTTP to


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A port that other packages may fill."""

    group: str  # of entry points, without "img."
    provider: str  # of the container
    setting: str  # that chooses
    title: str  # in messages
    also: str = ""  # a name that is replaced before adapters are looked for


_PLACES = (
    _Place(group="blob_store", provider="blobs", setting="store", title="blob store"),
    _Place(group="image_store", provider="images", setting="store", title="image store"),
    _Place(
        group="snapshotter",
        provider="snapshotter",
        setting="snapshotter",
        title="snapshots backend",
    ),
    _Place(group="executor", provider="executor", setting="executor", title="executor"),
    _Place(group="registry", provider="registry", setting="registry", title="registry client"),
    _Place(
        group="credential_store",
        provider="credentials",
        setting="credentials",
        title="credential store",
    ),
    _Place(
        group="progress_sink",
        provider="progress",
        setting="progress",
        title="progress display",
        also="auto",
    ),
)


def add_plugins(container: "Container", settings: "Settings") -> None:
    """Let ``container`` know the adapters that settings choose and img itself does not have.

    Nothing is looked up when img's own are chosen. Raises UsageError for a name nobody has.
    """
    for place in _PLACES:
        choice = getattr(settings, place.setting)
        own = getattr(container, place.provider).providers
        if choice not in own:
            _add(container, place, _chosen(place, choice, own), _surroundings(container, settings))


def _add(
    container: "Container", place: _Place, point: "EntryPoint", surroundings: Surroundings
) -> None:
    from img.entrypoints.injection import providers

    selector = getattr(container, place.provider)
    factory = providers.Singleton(_loaded(point), surroundings)
    selector.set_providers(**selector.providers, **{point.name: factory})


def _surroundings(container: "Container", settings: "Settings") -> Surroundings:
    return Surroundings(
        state=settings.state,
        platform=settings.platform,
        archive=container.archive,
        credentials=container.credentials,
        insecure_registries=settings.access.insecure,
    )


def _chosen(place: _Place, choice: str, own: dict[str, object]) -> "EntryPoint":
    from importlib.metadata import entry_points

    points = {point.name: point for point in entry_points(group=f"img.{place.group}")}
    if choice not in points:
        known = ", ".join(sorted({*own, *points, place.also} - {*FOR_TESTS, ""}))
        raise UsageError(f"{choice} is not a valid {place.title}", hint=f"known: {known}")
    return points[choice]


def _loaded(point: "EntryPoint") -> Callable[[Surroundings], Any]:
    try:
        factory: Callable[[Surroundings], Any] = point.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{point.name} ({point.value}) cannot be loaded: {error}") from error
    return factory
