"""What the platforms of one build have come to so far."""

from dataclasses import field

from img.application.ports.cache_store import CacheRecord
from img.application.solver.results import Stack
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.provenance import Provenance, contradict, made_from


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """Results of one build, by definition key: in all its images a step has the same.

    ``contents`` are those that images were made from, ``_made`` what was done in this build.
    """

    contents: dict[Digest, Digest] = field(default_factory=dict)
    _made: dict[Digest, CacheRecord] = field(default_factory=dict)

    def made(self, definition: Digest, inputs: Provenance) -> CacheRecord | None:
        """Return what this build has made for a definition, from these inputs."""
        record = self._made.get(definition)
        return record if record is not None and made_from(record.made_from, inputs) else None

    def note_made(self, definition: Digest, record: CacheRecord) -> None:
        """Let a step that was done not be done again."""
        self._made[definition] = record

    def forget_made(self) -> None:
        """Let steps be done again: a layer was damaged."""
        self._made.clear()

    def note_image(self, stack: Stack) -> None:
        """Let images that come later be made from the same."""
        self.contents.update(stack.below)
        self.contents[stack.key] = stack.content

    def differs(self, stack: Stack) -> bool:
        """Tell whether another image was made from another result of a step."""
        return contradict(stack.below, self.contents)
