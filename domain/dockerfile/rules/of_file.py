"""Rules for the whole file: its lines, and all its instructions."""

from collections.abc import Iterator

from img.domain.dockerfile.instructions import Dockerfile, From, Instruction
from img.domain.dockerfile.raw import RawDockerfile
from img.domain.dockerfile.rules.rule import Finding, Rule, rule
from img.domain.go.formatting import quoted

_RESERVED = frozenset({"context", "scratch"})


@rule("NoEmptyContinuation", "Empty continuation lines will become errors in a future release")
def no_empty_continuation(raw: RawDockerfile) -> Iterator[Finding]:
    """Yield a finding for each instruction with a blank line inside."""
    blanks = set(raw.empty_continuations)
    for each in raw.instructions:
        first, last = each.lines
        if not blanks.isdisjoint(range(first, last + 1)):
            # As in BuildKit, the finding is at the end of the instruction.
            yield Finding(lines=(last, last), detail="Empty continuation line")


@rule("DuplicateStageName", "Stage names should be unique")
def duplicate_stage_name(dockerfile: Dockerfile) -> Iterator[Finding]:
    """Yield a finding for each stage with the name of an earlier one."""
    seen: set[str] = set()
    for start in _named(dockerfile):
        if start.name in seen:
            yield _finding(
                start, f"Duplicate stage name {quoted(start.name)}, stage names should be unique"
            )
        seen.add(start.name)


@rule("ReservedStageName", "Reserved words should not be used as stage names")
def reserved_stage_name(dockerfile: Dockerfile) -> Iterator[Finding]:
    """Yield a finding for each stage with a reserved name."""
    for start in _named(dockerfile):
        if start.name in _RESERVED:
            yield _finding(
                start,
                "Stage name should not use the same name as reserved stage " + quoted(start.name),
            )


@rule(
    "ConsistentInstructionCasing",
    "All commands within the Dockerfile should use the same casing (either upper or lower)",
)
def consistent_instruction_casing(dockerfile: Dockerfile) -> Iterator[Finding]:
    """Yield a finding for each keyword in another case than most others."""
    instructions = list(_instructions(dockerfile))
    lower = sum(each.keyword.islower() for each in instructions)
    upper = sum(each.keyword.isupper() for each in instructions)
    casing, convert = ("lowercase", str.lower) if lower > upper else ("uppercase", str.upper)
    for each in instructions:
        if each.keyword != convert(each.keyword):
            yield _finding(
                each,
                f"Command '{each.keyword}' should match the case of the command majority "
                f"({casing})",
            )


def _finding(instruction: From | Instruction, detail: str) -> Finding:
    """Return a finding that comments cannot suppress: BuildKit reads only the directive here."""
    return Finding(lines=instruction.lines, detail=detail)


def _named(dockerfile: Dockerfile) -> Iterator[From]:
    return (stage.start for stage in dockerfile.stages if stage.start.name)


def _instructions(dockerfile: Dockerfile) -> Iterator[From | Instruction]:
    """Yield the instructions without the ARGs above the first FROM, which the rule ignores."""
    for stage in dockerfile.stages:
        yield stage.start
        yield from stage.instructions


RAW_RULES: tuple[Rule[RawDockerfile], ...] = (no_empty_continuation,)
FILE_RULES: tuple[Rule[Dockerfile], ...] = (
    duplicate_stage_name,
    reserved_stage_name,
    consistent_instruction_casing,
)
