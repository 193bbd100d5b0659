"""The account of a build: the facts that a statement of provenance is made of."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime

from img.domain.attestations.material import Material, sorted_materials
from img.domain.build import BuildRequest
from img.domain.dataclass import dataclass
from img.domain.graph.operations import Exec, FetchGit, ReadContext
from img.domain.graph.vertex import Plan, Vertex
from img.domain.oci.descriptor import Descriptor
from img.domain.process import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedBase:
    """A base image: its name as a step has it, its material, and the lines of its FROMs."""

    identifier: str  # docker-image://NAME@DIGEST
    material: Material
    from_lines: tuple[tuple[int, int], ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The facts about a finished build for one platform.

    ``bases`` are by the manifest in PullBase, ``fetched`` and ``depths`` (numbers of layers) by the
    position in the graph. The contexts in ``local`` are directories of this machine, or were read
    from standard input.
    """

    request: BuildRequest
    plan: Plan
    bases: Mapping[object, UsedBase]
    unplaced_bases: tuple[Material, ...] = ()  # images without layers, which no step reads
    fetched: Mapping[int, Material]
    depths: Mapping[int, int]
    local: frozenset[str]  # names of contexts; "" is the main one
    context: Material | None = None  # of a main context that was fetched
    dockerfile: Material | None = None  # of a Dockerfile from elsewhere
    dockerfile_name: str = "Dockerfile"
    dockerfile_given: str = ""  # the name of -f
    dockerfile_text: bytes = b""
    ignored: tuple[str, ...] = ()
    vcs: Mapping[str, str] = field(default_factory=dict, hash=False)
    started: datetime
    finished: datetime
    invocation: str
    tool_version: str
    layers: tuple[Descriptor, ...] = ()  # of the image in the form that is described

    @property
    def vertices(self) -> Iterator[tuple[int, Vertex]]:
        """The vertices that the image needs, by position."""
        for position in self.plan.graph.needed_for(self.plan.target):
            yield position, self.plan.graph.vertices[position]

    @property
    def materials(self) -> tuple[Material, ...]:
        """All sources with a digest, each once."""
        needed = {position for position, _ in self.vertices}
        found = [each.material for each in self.bases.values()]
        found += self.unplaced_bases
        found += [each for position, each in self.fetched.items() if position in needed]
        found += [each for each in (self.context, self.dockerfile) if each is not None]
        return sorted_materials(found)

    @property
    def local_sources(self) -> tuple[str, ...]:
        """The sources without a digest: contexts and volumes of this machine that it read."""
        used = {
            vertex.operation.name
            for _, vertex in self.vertices
            if isinstance(vertex.operation, ReadContext)
        }
        named = {name for name in used & self.local if name}
        main = {"context", "dockerfile"} if "" in self.local else set()
        volumes = {
            f"volume:{volume.target}"
            for _, vertex in self.vertices
            if isinstance(vertex.operation, Exec)
            for volume in vertex.operation.volumes
        }
        return tuple(sorted(named | main | volumes))

    @property
    def is_complete(self) -> bool:
        """True if each source has a digest."""
        return not self.local_sources

    @property
    def is_hermetic(self) -> bool:
        """True if each source has a digest, and no RUN had a network."""
        runs = (v.operation for _, v in self.vertices if isinstance(v.operation, Exec))
        return self.is_complete and all(run.network is Network.NONE for run in runs)

    @property
    def uses_git(self) -> bool:
        """True if a repository was fetched."""
        checkouts = any(isinstance(v.operation, FetchGit) for _, v in self.vertices)
        return checkouts or any(each.rank == 2 for each in self.materials)
