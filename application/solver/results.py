"""Results of vertices."""

from collections.abc import Callable, Iterable
from dataclasses import field
from datetime import datetime
from typing import Any

from img.application.ports.build_context import BuildContext
from img.application.ports.cache_store import CacheRecord
from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.graph.provenance import SCRATCH, Provenance, content_on
from img.domain.oci.chain import Layer, chain_id_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Layers on one another, lowest first: what most vertices come to.

    ``key`` is the definition key, and ``found_by`` all keys that find what the vertex added, if
    they were asked for. ``own`` is the layer the vertex itself added, None if it added none,
    ``created`` when that was made, and ``made_from`` what from, as the cache records it.
    ``below`` are the contents of all that the stack was made from, by definition key. The times
    of files that are ``dated`` are part of what they hold.
    """

    key: Digest
    found_by: tuple[Digest, ...] = ()
    layers: tuple[Layer, ...] = ()
    own: Layer | None = None
    created: datetime | None = None
    made_from: Provenance = field(default_factory=dict, hash=False)
    below: Provenance = field(default_factory=dict, hash=False)
    dated: bool = False
    _content: Digest | None = field(default=None, compare=False)

    @property
    def content(self) -> Digest:
        """What the stack holds, whatever it was made by."""
        return self._content or chain_id_of(layer.diff_id for layer in self.layers) or SCRATCH

    def with_result(self, key: Digest, record: CacheRecord, *more_keys: Digest) -> "Stack":
        """Return the stack of the vertex ``key`` that stands on this one and gave ``record``."""
        return Stack(
            key=key,
            found_by=(key, *more_keys),
            layers=self.layers if record.layer is None else (*self.layers, record.layer),
            own=record.layer,
            created=record.created,
            made_from=record.made_from,
            below={**self.below, **record.made_from},
            _content=content_on(self.content, record.layer.diff_id if record.layer else None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFiles:
    """The files of a build context; they have no key, only contents.

    ``mount_sources`` are the files that mounts show (steps/mounts.py, MountSource), by path and
    epoch: they are selected and read once for all steps of a build.
    """

    context: BuildContext
    mount_sources: dict[tuple[str, int | None], Any] = field(default_factory=dict, compare=False)


Result = Stack | ContextFiles
"""The result of a vertex."""

OpenContext = Callable[[str, Cancellation], Result]
"""A function that returns the files of a context of a build by its name, "" for the main one."""


def stack_of(result: Result) -> Stack:
    """Return ``result``, which must have layers. Raises BuildError."""
    if not isinstance(result, Stack):
        raise BuildError("a build context cannot be a root file system")
    return result


def contents_of(inputs: Iterable[Result]) -> Provenance:
    """Return the contents of the stacks among ``inputs``, by definition key.

    The contents of a context are part of the definition key of what reads it.
    """
    return {stack.key: stack.content for stack in inputs if isinstance(stack, Stack)}


def provenance_of(root: Stack, sources: Iterable[Result]) -> Provenance:
    """Return what a vertex on ``root`` that takes files from ``sources`` is made from.

    All is in it that need not be looked at when the vertex is found: not what ``root`` was made
    from, as that is solved in any case.
    """
    told = {root.key: root.content}
    for source in sources:
        if isinstance(source, Stack):
            told |= source.below
            told[source.key] = source.content
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came from the network, or, ``cached``, was here and is still the same."""

    result: Result
    cached: bool
