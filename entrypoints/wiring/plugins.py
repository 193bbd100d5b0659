"""Adapters of other packages, found through entry points (docs/extending.md).

A package names a factory in the entry point group ``img.<port>``, such as ``img.executor``; users
choose the adapter by the name of the entry point. The factory gets a ``PluginContext`` and returns
the adapter; it is called once, when the adapter is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from img.domain.errors import UsageError
from img.entrypoints.lazy import lazy
from img.entrypoints.settings import FOR_TESTS
from img.entrypoints.wiring.injection import providers

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from img.application.ports.plugin import PluginContext


_CLOSED = ("executor", "progress_sink")  # which a container would make only to close them
_ALSO = {"progress_sink": "auto"}  # names that are replaced before adapters are looked for


def add_plugin(
    selector: providers.Selector[Any],
    group: str,
    choice: str,
    *,
    title: str,
    context: PluginContext,
) -> None:
    """Add the adapter named ``choice`` of entry point group ``img.<group>`` to ``selector``.

    ``title`` is the kind of adapter in messages. Raises UsageError for an unknown name.
    """
    point = _entry_point(group, choice, title, selector.providers)
    make = _loaded(point)
    factory = providers.Singleton(lazy(make) if group in _CLOSED else make, context)
    selector.set_providers(**selector.providers, **{choice: factory})


def _entry_point(group: str, choice: str, title: str, own: Collection[str]) -> EntryPoint:
    from importlib.metadata import entry_points

    points = {point.name: point for point in entry_points(group=f"img.{group}")}
    if choice not in points:
        known = ", ".join(sorted({*own, *points, _ALSO.get(group, "")} - {*FOR_TESTS, ""}))
        raise UsageError(f"{choice} is not a valid {title}", hint=f"known: {known}")
    return points[choice]


def _loaded(point: EntryPoint) -> Callable[[PluginContext], Any]:
    try:
        factory: Callable[[PluginContext], Any] = point.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{point.name} ({point.value}) cannot be loaded: {error}") from error
    return factory
