"""Rules for a single instruction (BuildKit instructions/parse.go)."""

from collections.abc import Iterator

from img.domain.dockerfile.instructions import Arg, From, Instruction, Maintainer
from img.domain.dockerfile.rules.rule import Finding, Rule, at, rule


@rule("StageNameCasing", "Stage names should be lowercase")
def stage_name_casing(instruction: From | Instruction) -> Iterator[Finding]:
    """Yield a finding for a stage name with capitals."""
    if isinstance(instruction, From):
        name = instruction.name_as_written
        if name != name.lower():
            yield at(instruction, f"Stage name '{name}' should be lowercase")


@rule("FromAsCasing", "The 'as' keyword should match the case of the 'from' keyword")
def from_as_casing(instruction: From | Instruction) -> Iterator[Finding]:
    # ConsistentInstructionCasing reports a FROM in mixed case.
    """Yield a finding for an "as" in another case than its "FROM"."""
    if isinstance(instruction, From) and instruction.keyword in {"from", "FROM"}:
        keyword, as_keyword = instruction.keyword, instruction.as_keyword
        matching = as_keyword.upper() if keyword.isupper() else as_keyword.lower()
        if as_keyword != matching:
            yield at(instruction, f"'{as_keyword}' and '{keyword}' keywords' casing do not match")


@rule(
    "MaintainerDeprecated",
    "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
)
def maintainer_deprecated(instruction: From | Instruction) -> Iterator[Finding]:
    """Yield a finding for MAINTAINER."""
    if isinstance(instruction, Maintainer):
        yield at(instruction, "Maintainer instruction is deprecated in favor of using label")


@rule(
    "InvalidDefinitionDescription",
    "Comment for build stage or argument should follow the format: `# <arg/stage name> "
    "<description>`. If this is not intended to be a description comment, add an empty line or "
    "comment between the instruction and the comment.",
    experimental=True,
)
def invalid_definition_description(instruction: From | Instruction) -> Iterator[Finding]:
    """Yield a finding for a comment that describes another stage or ARG."""
    names = _defined_by(instruction)
    comments = instruction.comments
    if names and comments and comments[-1].split(" ")[0] not in names:
        what = "FROM" if isinstance(instruction, From) else "ARG"
        name = names[0] if len(names) == 1 else "<arg_key>"
        yield at(
            instruction, f"Comment for {what} should follow the format: `# {name} <description>`"
        )


def _defined_by(instruction: From | Instruction) -> tuple[str, ...]:
    match instruction:
        case From(name=name) if name:
            return (name,)
        case Arg(arguments=arguments):
            return tuple(argument.name for argument in arguments)
    return ()


INSTRUCTION_RULES: tuple[Rule[From | Instruction], ...] = (
    stage_name_casing,
    from_as_casing,
    maintainer_deprecated,
    invalid_definition_description,
)
