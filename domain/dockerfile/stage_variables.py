"""The variables of a Dockerfile: global arguments, and ENV and ARG of each stage."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace

from img.domain.dataclass import dataclass
from img.domain.dockerfile.instructions import Argument, Dockerfile, KeyValue
from img.domain.dockerfile.variables import expand_word

Pair = tuple[str, str]
Pairs = tuple[Pair, ...]

# Arguments of the SBOM scanner; a process does not see them.
NOT_IN_ENV = frozenset({"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalArgument:
    """An ARG above the first FROM, with its value, None where it has none."""

    argument: Argument
    lines: tuple[int, int]
    value: str | None
    uses: frozenset[str] = frozenset()  # the variables in the default, if that is the value


def declared_globals(
    dockerfile: Dockerfile, build_args: Mapping[str, str], predefined: Mapping[str, str]
) -> Iterator[GlobalArgument]:
    """Yield the global arguments in the order of the file; ``predefined`` exist before them.

    Raises ExpansionFailed.
    """
    variables = dict(predefined)
    for arg in dockerfile.meta_args:
        for argument in arg.arguments:
            value, uses = build_args.get(argument.name), frozenset[str]()
            if value is None and argument.default is not None:
                default = expand_word(
                    argument.default, variables, dockerfile.escape, lines=arg.lines
                )
                value, uses = default.text, default.matched
            if value is not None:
                variables[argument.name] = value
            yield GlobalArgument(argument=argument, lines=arg.lines, value=value, uses=uses)


def argument_value(
    argument: Argument,
    build_args: Mapping[str, str],
    global_arguments: Mapping[str, str],
    expand: Callable[[str], str],
) -> str | None:
    """Return the value of an ARG in a stage, None where it has none.

    That is what --build-arg says, else the expanded default, else the global value of the name.
    """
    if argument.name in build_args:
        return build_args[argument.name]
    if argument.default is not None:
        return expand(argument.default)
    return global_arguments.get(argument.name)


def expanded_pairs(pairs: Iterable[KeyValue], expand: Callable[[str], str]) -> Pairs:
    """Return the names and values of ENV or LABEL.

    ``expand`` has the variables from before the instruction, for all of its pairs.
    """
    return tuple((expand(pair.key), expand(pair.value)) for pair in pairs)


def with_variables(variables: Mapping[str, str], pairs: Iterable[Pair]) -> Mapping[str, str]:
    """Return ``variables`` with some set; those move to the end (BuildKit client/llb, EnvList)."""
    found = dict(variables)
    for name, value in pairs:
        found.pop(name, None)
        found[name] = value
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StageVariables:
    """The variables of a stage between two of its instructions."""

    values: Mapping[str, str] = field(default_factory=dict, hash=False)  # ENV and ARG
    arguments: Pairs = ()  # ARGs in scope, "" for no value

    def with_values(self, pairs: Iterable[Pair]) -> "StageVariables":
        """Return the variables after ENV, or with those of a base image."""
        return replace(self, values=with_variables(self.values, pairs))

    def with_argument(self, name: str, value: str | None) -> "StageVariables":
        """Return the variables after ``ARG name``."""
        declared = replace(self, arguments=(*self.arguments, (name, value or "")))
        if value is None or name in NOT_IN_ENV:
            return declared
        return declared.with_values([(name, value)])
