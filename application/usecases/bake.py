"""``img bake``: builds of several targets, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from datetime import datetime

from img.application.outputs.solved import BuiltImage
from img.application.ports.clock import Clock
from img.application.ports.image_store import ImageNotFound, ImageStore
from img.domain.bake.definition.attributes import Contents
from img.domain.bake.definition.plan import in_order, links_of
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import ImgError
from img.domain.outputs import ImageOutput, Output

_IMAGE = "docker-image://"

BuildTarget = Callable[[str, Mapping[str, str], Sequence[Output]], BuiltImage | None]
"""Builds a target, with these places of its linked contexts, and these outputs."""


@dataclass(slots=True, kw_only=True)
class Baked:
    """Results of the targets by name, in the order of their builds."""

    # None: no image, or one that was stored only for the targets that link to it
    built: dict[str, BuiltImage | None] = field(default_factory=dict)
    failed: dict[str, ImgError] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)  # and the target that failed before


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeTargets:
    """Builds targets in the order of their links.

    A target that others link to is stored without a name until all are built, if it has no output
    of its own that stores it.
    """

    images: ImageStore
    clock: Clock

    def __call__(
        self,
        targets: Mapping[str, Contents],
        outputs: Mapping[str, Sequence[Output]],
        build: BuildTarget,
    ) -> Baked:
        """Build ``targets``; a failure stops the targets that link to the one that failed."""
        begun = self.clock.now()
        linked = {base for contents in targets.values() for base in links_of(contents).values()}
        baked = Baked()
        results: dict[str, Digest] = {}
        stored: set[Digest] = set()
        temporary: set[Digest] = set()
        try:
            for name in in_order(targets):
                links = links_of(targets[name])
                lost = (each for each in links.values() if each not in results)
                if (cause := next(lost, None)) is not None:
                    baked.skipped[name] = baked.skipped.get(cause, cause)
                    continue
                wanted = list(outputs[name])
                kept = name not in linked or _stores(wanted)
                places = {context: f"{_IMAGE}{results[base]}" for context, base in links.items()}
                try:
                    built = build(name, places, wanted if kept else [*wanted, ImageOutput()])
                except ImgError as error:
                    baked.failed[name] = error
                    continue
                baked.built[name] = built if kept else None
                if built is None:
                    continue
                results[name] = built.target.digest
                if not kept:
                    temporary.add(built.target.digest)
                elif _stores(wanted):
                    stored.add(built.target.digest)
        finally:
            for digest in temporary - stored:
                self._forget(digest, begun)
        return baked

    def _forget(self, digest: Digest, begun: datetime) -> None:
        """Remove an image that has no name, unless it was stored before ``begun``."""
        with suppress(ImageNotFound):
            if self.images.get(digest).created >= begun:
                self.images.remove(digest)


def _stores(outputs: Sequence[Output]) -> bool:
    """Return whether the image of the last output that has one is stored."""
    last = next((each for each in reversed(outputs) if isinstance(each, ImageOutput)), None)
    return last is not None and last.store and outputs[-1] is last
