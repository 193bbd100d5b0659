"""Application of all rules to a Dockerfile."""

from collections.abc import Iterable, Iterator
from typing import Any

from img.domain.dockerfile.instructions import Dockerfile, From, Instruction
from img.domain.dockerfile.raw import RawDockerfile
from img.domain.dockerfile.rules.of_base import FROM_RULES, FromLine
from img.domain.dockerfile.rules.of_file import FILE_RULES, RAW_RULES
from img.domain.dockerfile.rules.of_instruction import INSTRUCTION_RULES
from img.domain.dockerfile.rules.of_step import STAGE_RULES, STEP_RULES, CheckedStep, Excludes
from img.domain.dockerfile.rules.options import CheckOptions
from img.domain.dockerfile.rules.rule import LintWarning, Rule, Subject
from img.domain.dockerfile.stage_walk import KnownStage, Walk, walk_stages

ALL_RULES: tuple[Rule[Any], ...] = (
    *RAW_RULES,
    *INSTRUCTION_RULES,
    *FILE_RULES,
    *FROM_RULES,
    *STAGE_RULES,
    *STEP_RULES,
)


def check_instructions(
    raw: RawDockerfile, instructions: Iterable[From | Instruction], options: CheckOptions
) -> Iterator[LintWarning]:
    """Yield the warnings about each of ``instructions``, which are those of ``raw``.

    Raises the errors of the iterator ``instructions``.
    """
    yield from _applied(RAW_RULES, raw, options)
    for instruction in instructions:
        yield from _applied(INSTRUCTION_RULES, instruction, options)


def check_file(
    dockerfile: Dockerfile, lines: Iterable[FromLine], options: CheckOptions
) -> Iterator[LintWarning]:
    """Yield the warnings about the file and about FROM lines."""
    yield from _applied(FILE_RULES, dockerfile, options)
    for line in lines:
        yield from _applied(FROM_RULES, line, options)


def check_stages(
    stages: Iterable[KnownStage], walk: Walk, excludes: Excludes, options: CheckOptions
) -> Iterator[LintWarning]:
    """Yield the warnings about the steps of ``stages``. Raises DockerfileError."""
    stages = list(stages)
    for stage in stages:
        yield from _applied(STAGE_RULES, stage, options)
    for step in walk_stages(stages, walk):
        yield from _applied(STEP_RULES, CheckedStep(step=step, excludes=excludes), options)


def _applied(
    rules: Iterable[Rule[Subject]], subject: Subject, options: CheckOptions
) -> Iterator[LintWarning]:
    for rule in rules:
        for finding in rule.find(subject):
            if options.runs(rule.name, experimental=rule.experimental, comments=finding.comments):
                yield rule.warning(finding)
