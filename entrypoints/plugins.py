"""Adapters of other packages, found through entry points.

A package names a factory under the group ``img.<port>``, such as ``img.blobs`` or
``img.executor``; the name of the entry point is what configuration chooses. The factory is called
with the state directory (``pathlib.Path``) and returns the adapter.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from img.domain.errors import UsageError

if TYPE_CHECKING:
    from dependency_injector.containers import Container

    from img.entrypoints.settings import Settings

_CHOICES = {
    # group: (provider of the container, the setting that chooses)
    "blobs": "store",
    "images": "store",
    "snapshotter": "snapshotter",
    "executor": "executor",
    "progress": "progress",
}


def add_plugins(container: "Container", settings: "Settings") -> None:
    """Let ``container`` know the adapters that settings choose and img itself does not have.

    Nothing is looked up when img's own are chosen. Raises UsageError for a name nobody has.
    """
    from dependency_injector import providers

    for port, setting in _CHOICES.items():
        selector = getattr(container, port)
        choice = getattr(settings, setting)
        if choice in selector.providers:
            continue
        factories = dict(_factories(port))
        if choice not in factories:
            known = ", ".join(sorted({*selector.providers, *factories}))
            raise UsageError(f"{choice} is not a valid {_named(setting)}", hint=f"known: {known}")
        selector.set_providers(
            **selector.providers,
            **{choice: providers.Singleton(factories[choice], settings.state)},
        )


def _factories(port: str) -> Iterator[tuple[str, Any]]:
    from importlib.metadata import entry_points

    for point in entry_points(group=f"img.{port}"):
        yield point.name, point.load()


def _named(setting: str) -> str:
    return {"snapshotter": "snapshots backend"}.get(setting, setting)
