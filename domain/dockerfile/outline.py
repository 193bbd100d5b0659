"""``--call=outline``: the arguments, secrets and SSH agents of a target.

Source: BuildKit frontend/dockerfile/dockerfile2llb/outline.go.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Protocol, TypeVar

from img.domain.dataclass import dataclass
from img.domain.dockerfile.instructions import Arg, Argument, Dockerfile, Run, RunMount
from img.domain.dockerfile.mounts import expand_mounts
from img.domain.dockerfile.stage_variables import declared_globals
from img.domain.dockerfile.stage_walk import KnownStage, Step, Walk, walk_stages
from img.domain.dockerfile.targets import stage_description
from img.domain.dockerfile.variables import expand

Lines = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlinedArgument:
    """A build argument that the target uses, and its value."""

    name: str
    value: str
    description: str
    lines: Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlinedMount:
    """A secret or an SSH agent that a RUN asks for."""

    name: str
    required: bool
    lines: Lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The inputs of a target, in the order of the file."""

    name: str  # of the target, "" where it has none
    description: str
    arguments: tuple[OutlinedArgument, ...]
    secrets: tuple[OutlinedMount, ...]
    agents: tuple[OutlinedMount, ...]


def outline_of(
    dockerfile: Dockerfile,
    stages: Sequence[KnownStage],
    target: int,
    walk: Walk,
    predefined: Mapping[str, str],
) -> Outline:
    """Return the outline of stage ``target``; ``stages`` are the stages that it needs, in order.

    ``predefined`` are the variables that exist above the first ARG. Raises DockerfileError.
    """
    captures = _captures(dockerfile, stages, walk, predefined)
    for step in walk_stages(stages, walk):
        captures[step.stage.index].take(step)
    start = dockerfile.stages[target].start
    reached = [captures[index] for index in _reached(stages, target)]
    return Outline(
        name=start.name,
        description=stage_description(start),
        arguments=_merged(each.used_arguments() for each in reached),
        secrets=_merged(each.secrets.values() for each in reached),
        agents=_merged(each.agents.values() for each in reached),
    )


@dataclass(frozen=True, slots=True)
class _Declared:
    """An ARG, and the variables that its default uses."""

    argument: OutlinedArgument
    uses: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Capture:
    """The arguments, secrets and agents that one stage uses."""

    declared: dict[str, _Declared]
    used: set[str]
    secrets: dict[str, OutlinedMount] = field(default_factory=dict)
    agents: dict[str, OutlinedMount] = field(default_factory=dict)

    def take(self, step: Step) -> None:
        """Add the arguments, secrets and agents of ``step``."""
        match step.instruction:
            case Arg(arguments=(argument,)):
                self._take_argument(step, argument)
            case Run():
                self._take_mounts(step, step.instruction)

    def used_arguments(self) -> Iterator[OutlinedArgument]:
        """Yield the arguments that are used, and those in their default values, as declared."""
        waiting, seen = set(self.used), set[str]()
        while waiting:
            name = waiting.pop()
            seen.add(name)
            if declared := self.declared.get(name):
                waiting |= declared.uses - seen
        yield from (each.argument for name, each in self.declared.items() if name in seen)

    def _take_argument(self, step: Step, argument: Argument) -> None:
        self.used.add(argument.name)
        walk, lines = step.walk, step.instruction.lines
        own = argument.default is not None or argument.name in walk.build_args
        if own or argument.name not in walk.global_arguments:  # else the global argument is used
            value = walk.value_of(argument, step.variables.values, lines)
            self.declared[argument.name] = _Declared(_outlined(argument, value, lines))

    def _take_mounts(self, step: Step, run: Run) -> None:
        for mount in expand_mounts(run, lambda word: step.expand(word).text):
            if mount.type == "secret":
                self.secrets.setdefault(_secret(mount), _mount(_secret(mount), mount, run))
            elif mount.type == "ssh":
                name = mount.id or "default"
                self.agents.setdefault(name, _mount(name, mount, run))


def _captures(
    dockerfile: Dockerfile,
    stages: Sequence[KnownStage],
    walk: Walk,
    predefined: Mapping[str, str],
) -> dict[int, _Capture]:
    """Return a capture for each stage, with the arguments in its FROM and in those of its bases."""
    declared = _global_arguments(dockerfile, walk, predefined)
    captures: dict[int, _Capture] = {}
    for stage in stages:
        used = set(captures[stage.base].used) if stage.base is not None else set[str]()
        for word in (stage.start.base, stage.start.platform):
            used |= expand(word, walk.global_arguments, walk.escape).matched
        captures[stage.index] = _Capture(dict(declared), used)
    return captures


def _global_arguments(
    dockerfile: Dockerfile, walk: Walk, predefined: Mapping[str, str]
) -> Mapping[str, _Declared]:
    declared: dict[str, _Declared] = {}
    for found in declared_globals(dockerfile, walk.build_args, predefined):
        name, uses = found.argument.name, found.uses
        if name in uses:  # the default names the argument itself
            earlier = declared[name].uses if name in declared else frozenset()
            uses = (uses - {name}) | earlier
        declared[name] = _Declared(_outlined(found.argument, found.value, found.lines), uses)
    return declared


def _reached(stages: Sequence[KnownStage], target: int) -> Iterator[int]:
    """Yield ``target``, the stage that it continues and those that it copies from, each once."""
    by_index = {stage.index: stage for stage in stages}
    waiting, seen = [target], set[int]()
    while waiting:
        stage = by_index[waiting.pop()]
        if stage.index not in seen:
            seen.add(stage.index)
            yield stage.index
            waiting += reversed(stage.sources)
            waiting += [] if stage.base is None else [stage.base]


class _Placed(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def lines(self) -> Lines: ...


_Item = TypeVar("_Item", bound=_Placed)


def _merged(groups: Iterable[Iterable[_Item]]) -> tuple[_Item, ...]:
    """Return each name once, from the first group that has it, in the order of the file."""
    found: dict[str, _Item] = {}
    for group in groups:
        for item in group:
            found.setdefault(item.name, item)
    return tuple(sorted(found.values(), key=lambda item: item.lines))


def _outlined(argument: Argument, value: str | None, lines: Lines) -> OutlinedArgument:
    return OutlinedArgument(
        name=argument.name, value=value or "", description=argument.description, lines=lines
    )


def _secret(mount: RunMount) -> str:
    return mount.source or mount.id or mount.target.rstrip("/").rpartition("/")[2]


def _mount(name: str, mount: RunMount, run: Run) -> OutlinedMount:
    return OutlinedMount(name=name, required=mount.required, lines=run.lines)
