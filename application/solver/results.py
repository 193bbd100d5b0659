"""Results of vertices."""

from collections.abc import Callable, Iterable
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from img.application.ports.build_context import BuildContext
from img.application.ports.cache_store import CacheRecord
from img.application.ports.executor import Cancellation
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import BuildError
from img.domain.graph.provenance import SCRATCH, Provenance, content_on
from img.domain.oci.chain import Layer, chain_id_of

if TYPE_CHECKING:
    from img.domain.attestations.material import Material


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The layers of a vertex, lowest first.

    ``key`` is the definition key. ``found_by`` are all keys of the layer that the vertex added, if
    they were requested. ``own`` is that layer, None if it added none, ``created`` its time of
    creation, and ``made_from`` the contents of its inputs, as in the cache record. ``below`` are
    the contents of all vertices that the stack was made from, by definition key. If ``dated``, the
    times of the files are part of their content. ``material`` names the commit of a checkout.
    """

    key: Digest
    found_by: tuple[Digest, ...] = ()
    layers: tuple[Layer, ...] = ()
    own: Layer | None = None
    created: datetime | None = None
    made_from: Provenance = field(default_factory=dict, hash=False)
    below: Provenance = field(default_factory=dict, hash=False)
    dated: bool = False
    material: "Material | None" = field(default=None, compare=False)
    _content: Digest | None = field(default=None, compare=False)

    @property
    def content(self) -> Digest:
        """The digest of the contents of the stack, the same for all ways to make it."""
        return self._content or chain_id_of(layer.diff_id for layer in self.layers) or SCRATCH

    def with_result(self, key: Digest, record: CacheRecord, *more_keys: Digest) -> "Stack":
        """Return the stack of the vertex with ``key`` on this one, with the result ``record``."""
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


NOTHING = Stack(key=Digest.of(b"nothing"))  # no files


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFiles:
    """The files of a build context, which have no definition key.

    ``mount_sources`` are the files that mounts show (steps/mounts.py, MountSource), by path and
    epoch: they are selected and read once for all steps of a build.
    """

    context: BuildContext
    material: "Material | None" = field(default=None, compare=False)  # None for this machine's
    mount_sources: dict[tuple[str, int | None], Any] = field(default_factory=dict, compare=False)


Result = Stack | ContextFiles
"""The result of a vertex."""

OpenContext = Callable[[str, Cancellation], Result]
"""A function that returns the files of a context of a build by its name, "" for the main one."""


def stack_of(result: Result) -> Stack:
    """Return ``result`` if it has layers. Raises BuildError for a build context."""
    if not isinstance(result, Stack):
        raise BuildError("a build context cannot be a root file system")
    return result


def contents_of(inputs: Iterable[Result]) -> Provenance:
    """Return the contents of the stacks among ``inputs``, by definition key.

    The contents of a context are part of the definition keys of its readers.
    """
    return {stack.key: stack.content for stack in inputs if isinstance(stack, Stack)}


def provenance_of(root: Stack, sources: Iterable[Result]) -> Provenance:
    """Return the provenance of a vertex on ``root`` with files from ``sources``.

    It has everything that need not be solved if the vertex is found: not the inputs of ``root``,
    which is always solved.
    """
    provenance = {root.key: root.content}
    for source in sources:
        if isinstance(source, Stack):
            provenance |= source.below
            provenance[source.key] = source.content
    return provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A result from the network; ``cached`` if it was stored and is unchanged."""

    result: Result
    cached: bool
