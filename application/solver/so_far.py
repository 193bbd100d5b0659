"""Results of the platforms of one build that are solved."""

from dataclasses import field

from img.application.ports.cache_store import CacheRecord
from img.application.solver.results import Stack
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.provenance import Provenance, contradict, made_from


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """Results of one build by definition key, so that a step has one result in all its images.

    ``contents`` are the contents of the results in images, ``results`` the results of this build,
    and of other builds at the same time.
    """

    contents: dict[Digest, Digest] = field(default_factory=dict)
    results: dict[Digest, CacheRecord] = field(default_factory=dict)

    def made(self, definition: Digest, inputs: Provenance) -> CacheRecord | None:
        """Return the result of this build for a definition key and inputs, else None."""
        record = self.results.get(definition)
        return record if record is not None and made_from(record.made_from, inputs) else None

    def note_made(self, definition: Digest, record: CacheRecord) -> None:
        """Keep the result of a step."""
        self.results[definition] = record

    def forget_made(self) -> None:
        """Drop the results, so that damaged layers are made again."""
        self.results.clear()

    def note_image(self, stack: Stack) -> None:
        """Keep the contents that an image was made from, for later images."""
        self.contents.update(stack.below)
        self.contents[stack.key] = stack.content

    def differs(self, stack: Stack) -> bool:
        """Return whether an image was made from another result of a step than ``stack``."""
        return contradict(stack.below, self.contents)
