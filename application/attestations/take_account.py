"""Taking account of builds, for their statements."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from img.application.planning.plan import Planned
from img.application.planning.resolve import ResolvedBase
from img.application.ports.build_context import DockerfileText
from img.application.ports.clock import Clock
from img.application.ports.working_copy import WorkingCopies
from img.application.solver.contexts import Contexts
from img.application.solver.results import Result, Stack
from img.domain.attestations.account import Account, UsedBase
from img.domain.attestations.image_names import image_material
from img.domain.attestations.material import Material
from img.domain.attestations.provenance import invocation_of
from img.domain.attestations.wanted import AttestationsWanted
from img.domain.build import BaseName, BuildRequest
from img.domain.context_location import InputPlace, LayoutPlace, LocalPlace, place_of
from img.domain.dataclass import dataclass
from img.domain.errors import BuildError
from img.domain.graph.operations import PullBase
from img.domain.graph.sources import FromImage
from img.domain.platform import Platform
from img.domain.url import redact_credentials

_LAYOUT = "oci-layout://"


class IncompleteMaterials(BuildError):
    """The build has sources without a digest, and complete-materials forbids them."""

    def __init__(self, sources: Sequence[str]) -> None:
        super().__init__(
            f"provenance has incomplete materials: local sources {', '.join(sources)}",
            hint="build from a git repository, or leave complete-materials out",
        )
        self.sources = tuple(sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeAccount:
    """Accounts of builds. ``has_vcs`` is false where working copies are of no interest."""

    working_copies: WorkingCopies
    clock: Clock
    new_id: Callable[[], str]
    tool_version: str
    has_vcs: bool = True

    def begin(
        self,
        contexts: Contexts,
        location: str,
        file: str | None,
        source: DockerfileText,
        wanted: AttestationsWanted,
    ) -> "BuildInProgress":
        """Return the account of a build that begins now."""
        return BuildInProgress(
            parts=self,
            contexts=contexts,
            location=location,
            file=file,
            source=source,
            wanted=wanted,
            started=self.clock.now(),
            invocation=self.new_id(),
            vcs=self._vcs(contexts, location, source) if self.has_vcs else {},
        )

    def _vcs(self, contexts: Contexts, location: str, source: DockerfileText) -> Mapping[str, str]:
        """Return the state of the working copy with the context (buildx, build/git.go)."""
        if not contexts.local.is_directory(location):
            return {}
        copy = self.working_copies.find(location)
        if copy is None:
            return {}
        found = {"revision": f"{copy.revision}-dirty" if copy.is_changed else copy.revision}
        if _is_elsewhere(copy.remote):
            found["source"] = redact_credentials(copy.remote)
        found["localdir:context"] = copy.directory
        inside = _inside(copy.top, source.path)
        if inside is not None:
            found["localdir:dockerfile"] = inside
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInProgress:
    """The facts that are known before the steps of a build, for all of its platforms."""

    parts: TakeAccount
    contexts: Contexts
    location: str
    file: str | None
    source: DockerfileText
    wanted: AttestationsWanted
    started: datetime
    invocation: str
    vcs: Mapping[str, str]

    def end(
        self,
        request: BuildRequest,
        planned: Planned,
        results: Mapping[int, Result],
        epoch: int | None,
    ) -> Account:
        """Return the account of the build for one platform. Raises IncompleteMaterials."""
        plan = planned.plan
        started, finished, invocation = self.started, self.parts.clock.now(), self.invocation
        if epoch is not None:
            started = finished = datetime.fromtimestamp(epoch, UTC)
            invocation = invocation_of(f"{self.source.content!r}{request.target}", epoch)
        used = {
            vertex.operation.manifest
            for vertex in plan.graph.vertices
            if isinstance(vertex.operation, PullBase)
        }
        account = Account(
            request=request,
            plan=plan,
            bases=_used_bases(planned),
            unplaced_bases=tuple(
                _material(name, base)
                for name, base in planned.bases.items()
                if base.image.manifest not in used
            ),
            fetched={
                position: result.material
                for position, result in results.items()
                if result.material is not None
            },
            depths={
                position: len(result.layers)
                for position, result in results.items()
                if isinstance(result, Stack)
            },
            local=self._local(request),
            context=self.contexts.material(self.location),
            dockerfile=self.source.material,
            dockerfile_name=self.source.name,
            dockerfile_given=self._given(),
            dockerfile_text=self.source.content,
            ignored=planned.ignore,
            vcs=self.vcs,
            started=started,
            finished=finished,
            invocation=invocation,
            tool_version=self.parts.tool_version,
        )
        provenance = self.wanted.provenance
        if provenance is not None and provenance.complete and not account.is_complete:
            raise IncompleteMaterials(account.local_sources)
        return account

    def _local(self, request: BuildRequest) -> frozenset[str]:
        places = {"": self.location, **request.contexts}
        return frozenset(name for name, place in places.items() if self._is_local(place))

    def _is_local(self, place: str) -> bool:
        if "://" in place and place.startswith(("docker-image://", _LAYOUT)):
            return False
        is_directory = self.contexts.local.is_directory(place)
        return isinstance(place_of(place, is_directory=is_directory), LocalPlace | InputPlace)

    def _given(self) -> str:
        if not self.file or self.file == "-":
            return ""
        return self.file.rpartition("/")[2] if self._is_local(self.location) else self.file


def _is_elsewhere(remote: str) -> bool:
    """Return whether a remote is not a directory of this machine."""
    return ":" in remote and not remote.startswith(("/", ".", "~", "file:"))


def _inside(top: str, file: str) -> str | None:
    """Return the directory of ``file`` below ``top``, None if it is elsewhere."""
    directory = file.rpartition("/")[0]
    if not top or not f"{directory}/".startswith(f"{top}/"):
        return None
    return directory.removeprefix(top).strip("/") or "."


def _used_bases(planned: Planned) -> dict[object, UsedBase]:
    lines: dict[BaseName, list[tuple[int, int]]] = {}
    for stage in planned.stages.stages:
        if isinstance(stage.base, FromImage):
            lines.setdefault(stage.base.name, []).append(stage.start.lines)
    made: dict[object, UsedBase] = {}
    for name, base in planned.bases.items():
        known = made.get(base.image.manifest)
        froms = (*(known.from_lines if known else ()), *lines.get(name, ()))
        if known is not None:
            made[base.image.manifest] = UsedBase(
                identifier=known.identifier,
                material=known.material,
                attributes=known.attributes,
                from_lines=froms,
            )
            continue
        made[base.image.manifest] = UsedBase(
            identifier=_identifier(base),
            material=_material(name, base),
            attributes=_attributes(name),
            from_lines=froms,
        )
    return made


def _material(name: BaseName, base: ResolvedBase) -> Material:
    platform: Platform = name.platform
    return image_material(base.image.reference, base.target.digest, platform)


def _identifier(base: ResolvedBase) -> str:
    text = base.image.reference  # which a policy may have put in place of the written one
    if (layout := LayoutPlace.parse(text)) is not None:
        return f"{_LAYOUT}docker.io/library/{layout.name}@{base.target.digest}"
    if "/" not in text:
        return f"docker-image://{text}"
    pinned = text.partition("@")[0]
    return f"docker-image://{pinned}@{base.target.digest}"


def _attributes(name: BaseName) -> dict[str, str]:
    layout = LayoutPlace.parse(name.text)
    return {} if layout is None else {"oci.store": layout.name}
