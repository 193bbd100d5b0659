"""The stages of a Dockerfile, step by step, with the variables that each step sees.

Nothing is built: checks and the outline use it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace

from img.domain.dataclass import dataclass
from img.domain.dockerfile.instructions import (
    Arg,
    Argument,
    Cmd,
    Entrypoint,
    Env,
    From,
    Healthcheck,
    Instruction,
    Shell,
    Workdir,
)
from img.domain.dockerfile.stage_variables import (
    StageVariables,
    argument_value,
    expanded_pairs,
)
from img.domain.dockerfile.variables import Expanded, expand_word
from img.domain.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStage:
    """A stage with its base."""

    index: int
    start: From
    instructions: tuple[Instruction, ...]  # the triggers of the base come first
    platform: Platform
    base: int | None = None  # the stage it continues
    sources: tuple[int, ...] = ()  # stages that it copies from or mounts
    image: str = ""  # the base image as FROM names it, "" for a stage
    image_platform: Platform | None = None  # the platform in that image's config
    env: Mapping[str, str] = field(default_factory=dict, hash=False)  # of the base image
    has_shell: bool = False  # the base image's config sets one


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The arguments and variables that all stages share."""

    global_arguments: Mapping[str, str] = field(hash=False)
    build_args: Mapping[str, str] = field(hash=False)
    escape: str = "\\"

    def value_of(
        self, argument: Argument, variables: Mapping[str, str], lines: tuple[int, int]
    ) -> str | None:
        """Return the value of --build-arg, else the default, else the global value of the name.

        Raises ExpansionFailed.
        """

        def expand(word: str) -> str:
            return expand_word(word, variables, self.escape, lines=lines).text

        return argument_value(argument, self.build_args, self.global_arguments, expand)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An instruction and the state before it; ARG is divided into steps of one variable."""

    stage: KnownStage
    instruction: Instruction
    walk: Walk
    variables: StageVariables
    shell_chosen: bool = False
    directory_chosen: bool = False
    overrides: Instruction | None = None  # the CMD, ENTRYPOINT or HEALTHCHECK that it replaces

    @property
    def declared(self) -> frozenset[str]:
        """The names of the ARGs so far, with or without a value."""
        return frozenset(name for name, _ in self.variables.arguments)

    def expand(self, word: str) -> Expanded:
        """Return ``word`` with the variables replaced. Raises ExpansionFailed."""
        escape, lines = self.walk.escape, self.instruction.lines
        return expand_word(word, self.variables.values, escape, lines=lines)


def walk_stages(stages: Iterable[KnownStage], walk: Walk) -> Iterator[Step]:
    """Yield the steps of ``stages``, which are in order and include all their base stages.

    Raises ExpansionFailed.
    """
    done: dict[int, _State] = {}
    for stage in stages:
        before = None if stage.base is None else done.get(stage.base)
        state = _State(stage, walk, before)
        yield from state.steps()
        done[stage.index] = state


class _State:
    """The state of a stage between two steps."""

    def __init__(self, stage: KnownStage, walk: Walk, before: "_State | None") -> None:
        self._stage = stage
        self._walk = walk
        self._env: Mapping[str, str] = before._env if before else stage.env
        inherited = before._variables if before else StageVariables()
        self._variables: StageVariables = inherited.with_values(self._env.items())
        self._shell_chosen: bool = before._shell_chosen if before else stage.has_shell
        self._directory_chosen: bool = before._directory_chosen if before else False
        self._last: dict[type, Instruction] = {}

    def steps(self) -> Iterator[Step]:
        """Yield the steps of the stage, and update the variables between them."""
        for written in self._stage.instructions:
            for instruction in _one_variable_each(written):
                yield self._step(instruction)
                self._take(instruction)

    def _step(self, instruction: Instruction) -> Step:
        return Step(
            stage=self._stage,
            instruction=instruction,
            walk=self._walk,
            variables=self._variables,
            shell_chosen=self._shell_chosen,
            directory_chosen=self._directory_chosen,
            overrides=self._last.get(type(instruction)),
        )

    def _take(self, instruction: Instruction) -> None:
        match instruction:
            case Arg(arguments=(argument,)):
                self._declare(argument, instruction.lines)
            case Env():
                self._set(instruction)
            case Shell():
                self._shell_chosen = True
            case Workdir():
                self._directory_chosen = True
            case Cmd() | Entrypoint() | Healthcheck():
                self._last[type(instruction)] = instruction

    def _declare(self, argument: Argument, lines: tuple[int, int]) -> None:
        value = self._walk.value_of(argument, self._variables.values, lines)
        self._variables = self._variables.with_argument(argument.name, value)

    def _set(self, env: Env) -> None:
        def expanded(word: str) -> str:
            values, escape = self._variables.values, self._walk.escape
            return expand_word(word, values, escape, lines=env.lines).text

        pairs = expanded_pairs(env.pairs, expanded)
        self._env = {**self._env, **dict(pairs)}
        self._variables = self._variables.with_values(pairs)


def _one_variable_each(instruction: Instruction) -> Iterator[Instruction]:
    """Yield ``ARG a b`` as two instructions: the second sees the first."""
    if isinstance(instruction, Arg):
        for argument in instruction.arguments:
            yield replace(instruction, arguments=(argument,))
    else:
        yield instruction
