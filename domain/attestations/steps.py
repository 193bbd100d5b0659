"""The steps of a build as BuildKit's provenance lists them (solver/llbsolver/provenance).

A step is an operation of BuildKit's graph, in the JSON of its protocol buffers (solver/pb).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace

from img.domain.attestations.account import Account
from img.domain.attestations.material import git_identifier
from img.domain.attestations.secrets import secret_values, shown_text, without_values
from img.domain.attestations.step_files import (
    SCRATCH,
    Step,
    copy_steps,
    directory_step,
    platform_object,
)
from img.domain.attestations.step_runs import run_steps
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.graph.operations import (
    CopyFiles,
    Exec,
    FetchGit,
    FetchUrl,
    InlineFile,
    MakeDirectory,
    PullBase,
    ReadContext,
    Scratch,
)
from img.domain.graph.vertex import Vertex
from img.domain.url import redact_credentials

_GIT_SECRETS = {
    "git.authheadersecret": "GIT_AUTH_HEADER",
    "git.authtokensecret": "GIT_AUTH_TOKEN",
}

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Steps:
    """Numbered steps, inputs first; the last one is empty and has the result as its input.

    ``places`` are the steps with the results of vertices.
    """

    steps: tuple[Step, ...]
    places: Mapping[int, int]

    def definition(self) -> list[Json]:
        """Return the steps as JSON objects, in the order of keys in v0.2."""
        return [_object(number, step) for number, step in enumerate(self.steps)]

    def digests(self) -> Mapping[str, str]:
        """Return the steps by digests, sorted.

        They are digests of the JSON, where BuildKit has those of its protocol buffers.
        """
        return dict(sorted(zip(_digests(self.steps), _names(self.steps), strict=True)))

    def locations(self) -> dict[str, Json]:
        """Return the lines of the Dockerfile of each step, sorted by the names of the steps."""
        found: dict[str, Json] = {}
        for name, step in zip(_names(self.steps[:-1]), self.steps, strict=False):
            ranges = [_ranges(lines) for lines in step.lines]
            found[name] = {"locations": ranges} if ranges else {}
        return dict(sorted(found.items()))


def steps_of(account: Account) -> Steps:
    """Return the steps of the build, without values of secrets and of proxies."""
    secrets = secret_values(account.request.build_args)
    walk = _Walk(account, secrets)
    last = walk.visit(account.plan.target)
    if last != SCRATCH:
        walk.steps.append(Step(op={}, inputs=(last,), has_constraints=False))
    return Steps(tuple(_without_values(each, secrets) for each in walk.steps), walk.places)


def _without_values(step: Step, secrets: Mapping[str, str]) -> Step:
    """Return ``step`` without secrets: its digest would be a way to try values."""
    op = without_values(step.op, secrets) if secrets else step.op
    assert isinstance(op, dict)
    return replace(step, op=op)


def dockerfile_steps(account: Account) -> Steps:
    """Return the steps that fetched the Dockerfile."""
    if account.context is not None and account.context.rank == 2:
        source = _git_source(account.context.uri.partition("#")[0], account.context.uri)
    else:
        source = Step(
            op={
                "source": {
                    "identifier": "local://dockerfile",
                    "attrs": {
                        "local.differ": "none",
                        "local.followpaths": _list(_names_of_dockerfile(account)),
                        "local.sharedkeyhint": "dockerfile",
                    },
                }
            }
        )
    return Steps((source, Step(op={}, inputs=(0,), has_constraints=False)), {})


def _names_of_dockerfile(account: Account) -> list[str]:
    name = account.dockerfile_name.rpartition("/")[2]
    more = ["dockerfile"] if name == "Dockerfile" else []
    return [name, f"{name}.dockerignore", *more]


@dataclass(slots=True)
class _Walk:
    account: Account
    secrets: Mapping[str, str]
    steps: list[Step] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)

    def visit(self, position: int) -> int:
        """Return the step with the result of a vertex, which is added after its inputs."""
        waiting = [position]
        while waiting:
            now = waiting[-1]
            if now in self.places:
                waiting.pop()
                continue
            vertex = self.account.plan.graph.vertices[now]
            missing = [each for each in vertex.inputs if each not in self.places]
            if missing:
                waiting += reversed(missing)
                continue
            self.places[now] = self._added(now, vertex)
        return self.places[position]

    def _added(self, position: int, vertex: Vertex) -> int:
        if isinstance(vertex.operation, Scratch):
            return SCRATCH
        first = len(self.steps)
        inputs = [self.places[each] for each in vertex.inputs]
        self.steps += self._steps(position, vertex, inputs, first)
        return len(self.steps) - 1

    def _steps(
        self, position: int, vertex: Vertex, inputs: Sequence[int], first: int
    ) -> Iterator[Step]:
        lines = (vertex.lines,) if vertex.lines else ()
        match vertex.operation:
            case PullBase() as operation:
                yield self._base(operation)
            case ReadContext() as operation:
                yield self._context(position, operation)
            case FetchUrl() as operation:
                attributes = {"http.filename": str(operation.filename)}
                if operation.checksum:
                    attributes = {"http.checksum": str(operation.checksum), **attributes}
                yield _source(redact_credentials(operation.url), attributes)
            case FetchGit() as operation:
                identifier = git_identifier(operation.remote, operation.ref, operation.subdir)
                yield _git_source(redact_credentials(operation.remote), identifier, operation)
            case MakeDirectory() as operation:
                yield directory_step(operation, inputs, lines)
            case CopyFiles() as operation:
                fetched = self._is_fetched(vertex)
                shown = replace(operation, inline=self._shown(operation.inline))
                yield from copy_steps(shown, inputs, lines, first, fetched=fetched)
            case Exec() as operation:
                run = replace(operation, files=self._shown(operation.files))
                yield from run_steps(run, vertex.arguments, inputs, lines, first)

    def _shown(self, heredocs: Sequence[InlineFile]) -> tuple[InlineFile, ...]:
        """Return heredocs without secrets, which nothing finds in their base64."""
        return tuple(
            replace(file, content=shown_text(file.content, self.secrets)) for file in heredocs
        )

    def _is_fetched(self, vertex: Vertex) -> bool:
        sources = [self.account.plan.graph.vertices[each].operation for each in vertex.inputs[1:]]
        return bool(sources) and all(isinstance(each, FetchUrl | FetchGit) for each in sources)

    def _base(self, operation: PullBase) -> Step:
        base = self.account.bases[operation.manifest]
        op: Json = {"source": _source_object(base.identifier, base.attributes)}
        return Step(op=op, platform=platform_object(operation.platform), lines=base.from_lines)

    def _context(self, position: int, operation: ReadContext) -> Step:
        material = self.account.fetched.get(position)
        if not operation.name and material is None:
            material = self.account.context
        if material is not None and material.rank == 2:
            remote, mark, ref = material.uri.partition("#")
            return _git_source(remote, git_identifier(remote, ref if mark else "", ""))
        if material is not None:
            return _source(material.uri, {"http.filename": "context"})
        name = operation.name or "context"
        hint = f"context:{operation.name}-" if operation.name else "context"
        attributes = {"local.sharedkeyhint": hint}
        if paths := self._followed(position):
            attributes = {"local.followpaths": _list(paths), **attributes}
        if self.account.ignored and not operation.name:
            attributes = {"local.excludepatterns": _list(self.account.ignored), **attributes}
        return _source(f"local://{name}", attributes)

    def _followed(self, position: int) -> list[str]:
        """Return the paths that COPY takes from a context, none if a step may take any."""
        paths: set[str] = set()
        for _, vertex in self.account.vertices:
            if position not in vertex.inputs:
                continue
            if not isinstance(vertex.operation, CopyFiles):
                return []
            paths.update(_sources_from(vertex, position))
        return [] if "" in paths else sorted(paths)


def _sources_from(vertex: Vertex, position: int) -> Iterator[str]:
    assert isinstance(vertex.operation, CopyFiles)
    for number, path in enumerate(vertex.operation.sources):
        places = vertex.operation.source_inputs
        if vertex.inputs[places[number] if places else 1] == position:
            yield path


def _git_source(remote: str, identifier: str, operation: FetchGit | None = None) -> Step:
    attributes = {**_GIT_SECRETS, "git.fullurl": remote}
    if operation is not None and operation.keep_git_dir:
        attributes["git.keepgitdir"] = "true"
    if operation is not None and operation.checksum:
        attributes["git.checksum"] = operation.checksum
    return _source(identifier, dict(sorted(attributes.items())))


def _source(identifier: str, attributes: Mapping[str, str]) -> Step:
    return Step(op={"source": _source_object(identifier, attributes)})


def _source_object(identifier: str, attributes: Mapping[str, str]) -> Json:
    made: Json = {"identifier": identifier}
    return {**made, "attrs": dict(attributes)} if attributes else made


def _list(texts: Sequence[str]) -> str:
    return json.dumps(list(texts), separators=(",", ":"), ensure_ascii=False)


def _names(steps: Sequence[Step]) -> list[str]:
    return [f"step{number}" for number in range(len(steps))]


def _object(number: int, step: Step) -> Json:
    op: Json = {"Op": step.op}
    if step.platform:
        op["platform"] = step.platform
    if step.has_constraints:
        op["constraints"] = {}
    made: Json = {"id": f"step{number}", "op": op}
    return {**made, "inputs": [f"step{each}:0" for each in step.inputs]} if step.inputs else made


def _digests(steps: Sequence[Step]) -> list[str]:
    digests: list[str] = []
    for step in steps:
        content = [step.op, step.platform, [digests[each] for each in step.inputs]]
        text = json.dumps(content, sort_keys=True)
        digests.append(str(Digest.of(text.encode("utf-8", "surrogatepass"))))
    return digests


def _ranges(lines: tuple[int, int]) -> Json:
    first, last = lines
    return {
        "ranges": [
            {"start": {"line": line}, "end": {"line": line}} for line in range(first, last + 1)
        ]
    }
