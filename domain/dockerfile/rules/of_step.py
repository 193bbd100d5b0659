"""Rules for the steps of a stage, with the variables in scope (BuildKit dispatch*)."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from img.domain.dataclass import dataclass
from img.domain.dockerfile.ignore import IgnoreMatcher
from img.domain.dockerfile.instructions import (
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Instruction,
    Label,
    Run,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from img.domain.dockerfile.mounts import expand_mounts
from img.domain.dockerfile.rules.rule import Finding, Rule, at, rule
from img.domain.dockerfile.stage_variables import NOT_IN_ENV
from img.domain.dockerfile.stage_walk import KnownStage, Step
from img.domain.dockerfile.suggestion import did_you_mean
from img.domain.dockerfile.variables import Expanded, expand_word
from img.domain.go.file_paths import clean_path
from img.domain.go.formatting import quoted

_SECRET = r"(?i)(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)"
_NO_SECRET = r"(?i)(?:_|^)(?:public|file|version)(?:_|$)"
_WINDOWS_ROOT = r"[/\\]|[a-zA-Z]:[/\\]"
_REMOTE = r"[a-z]+://|[\w-]+@[\w.-]+:"
_MANY = 1000  # variables
_WHOLE_CONTEXT = frozenset({"*", "**", "**/*"})

Excludes = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedStep:
    """A step, and the .dockerignore test for its sources."""

    step: Step
    excludes: Excludes

    @property
    def instruction(self) -> Instruction:
        """The instruction of the step."""
        return self.step.instruction


def excludes_nothing(_path: str) -> bool:
    """Return False for each path: the context has no ignore file."""
    return False


def excluded_by(patterns: Sequence[str]) -> Excludes:
    """Return a test for sources of COPY that .dockerignore excludes.

    With a ``!`` among the patterns the answer depends on the files, so it is always False.
    """
    if not patterns or any(pattern.startswith("!") for pattern in patterns):
        return excludes_nothing
    matcher = IgnoreMatcher(patterns)
    whole = not _WHOLE_CONTEXT.isdisjoint(patterns)
    return partial(_is_excluded, matcher, whole)


def _is_excluded(matcher: IgnoreMatcher, whole: bool, path: str) -> bool:
    if path in {".", "/"}:  # patterns exclude the contents of the root, never the root itself
        return whole
    return matcher.excludes(path)


@rule(
    "InvalidBaseImagePlatform",
    "Base image platform does not match expected target platform",
    has_page=False,
)
def invalid_base_image_platform(stage: KnownStage) -> Iterator[Finding]:
    """Yield a finding for a base image of another platform than the wanted one."""
    expected, actual = stage.platform, stage.image_platform
    if (
        actual
        and actual.architecture
        and (expected.os, expected.architecture) != (actual.os, actual.architecture)
    ):
        shown = [quoted(each.normalized().full_name) for each in (actual, expected)]
        yield Finding(  # comments above FROM do not suppress it
            lines=stage.start.lines,
            detail=f"Base image {stage.image} was pulled with platform {shown[0]}, expected "
            f"{shown[1]} for current build",
        )


@rule("UndefinedVar", "Variables should be defined before their use")
def undefined_var(checked: CheckedStep) -> Iterator[Finding]:
    """Yield a finding for each variable that is not set."""
    step = checked.step
    for words in _expanded(step):
        for name in sorted(words.unmatched - step.declared - NOT_IN_ENV):
            suggestion = _suggestion(name, step.variables.values)
            yield at(step.instruction, f"Usage of undefined variable '${name}'{suggestion}")


def _suggestion(name: str, known: Mapping[str, str]) -> str:
    # To compare with each name is slow if every line of a long file does it.
    return did_you_mean(f"${name}", (f"${each}" for each in known)) if len(known) < _MANY else ""


def _expanded(step: Step) -> Iterator[Expanded]:
    """Yield the expanded words of the step, except those of EXPOSE."""
    match step.instruction:
        case Env(pairs=pairs) | Label(pairs=pairs):
            for pair in pairs:
                yield step.expand(pair.key)
                yield step.expand(pair.value)
        case Copy() | Add():
            yield from _expanded_copy(step, step.instruction)
        case Arg(arguments=(argument,)):
            if argument.default is not None and argument.name not in step.walk.build_args:
                yield step.expand(argument.default)
        case Run():
            yield from _expanded_mounts(step, step.instruction)
        case Workdir(path=word) | User(user=word) | StopSignal(signal=word):
            yield step.expand(word)
        case Volume(paths=words):
            yield from map(step.expand, words)


def _expanded_copy(step: Step, copy: Copy | Add) -> Iterator[Expanded]:
    checksum = copy.checksum if isinstance(copy, Add) else ""
    for word in (copy.chown, copy.chmod, checksum, *copy.sources, copy.destination):
        yield step.expand(word)
    for heredoc in copy.heredocs:
        if heredoc.expand:
            yield expand_word(heredoc.content, step.variables.values, ignore_quotes=True)


def _expanded_mounts(step: Step, run: Run) -> Sequence[Expanded]:
    words: list[Expanded] = []

    def expand(word: str) -> str:
        words.append(step.expand(word))
        return words[-1].text

    expand_mounts(run, expand)
    return words


@rule(
    "WorkdirRelativePath",
    "Relative workdir without an absolute workdir declared within the build can have unexpected "
    "results if the base image changes",
)
def workdir_relative_path(checked: CheckedStep) -> Iterator[Finding]:
    """Yield a finding for a relative WORKDIR without an absolute one before it."""
    step = checked.step
    if isinstance(step.instruction, Workdir) and not step.directory_chosen:
        path = step.expand(step.instruction.path).text
        windows = step.stage.platform.os == "windows"
        if not (re.match(_WINDOWS_ROOT, path) if windows else path.startswith("/")):
            yield at(
                step.instruction,
                f"Relative workdir {quoted(path)} can have unexpected results if the base image "
                "changes",
            )


@rule(
    "JSONArgsRecommended",
    "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS "
    "signals",
)
def json_args_recommended(checked: CheckedStep) -> Iterator[Finding]:
    """Yield a finding for CMD or ENTRYPOINT in shell form."""
    instruction = checked.instruction
    if (
        isinstance(instruction, Cmd | Entrypoint)
        and instruction.command.shell
        and not checked.step.shell_chosen
    ):
        yield at(
            instruction,
            f"JSON arguments recommended for {instruction.keyword} to prevent unintended behavior "
            "related to OS signals",
        )


@rule(
    "MultipleInstructionsDisallowed",
    "Multiple instructions of the same type should not be used in the same stage",
)
def multiple_instructions_disallowed(checked: CheckedStep) -> Iterator[Finding]:
    """Yield a finding for a CMD, ENTRYPOINT or HEALTHCHECK that a later one replaces."""
    instruction, void = checked.instruction, checked.step.overrides
    if void:  # the finding is there, but comments above the second one count
        yield Finding(
            lines=void.lines,
            detail=f"Multiple {instruction.keyword} instructions should not be used in the same "
            "stage because only the last one will be used",
            comments=instruction.comments,
        )


@rule(
    "LegacyKeyValueFormat",
    "Legacy key/value format with whitespace separator should not be used",
)
def legacy_key_value_format(checked: CheckedStep) -> Iterator[Finding]:
    """Yield a finding for ENV or LABEL without "="."""
    instruction = checked.instruction
    if isinstance(instruction, Env | Label) and any(pair.legacy for pair in instruction.pairs):
        keyword = instruction.keyword
        yield at(
            instruction,
            f'"{keyword} key=value" should be used instead of legacy "{keyword} key value" format',
        )


@rule(
    "SecretsUsedInArgOrEnv",
    "Sensitive data should not be used in the ARG or ENV commands",
)
def secrets_used_in_arg_or_env(checked: CheckedStep) -> Iterator[Finding]:
    """Yield a finding for each ARG or ENV with the name of a secret."""
    step = checked.step
    match step.instruction:
        case Env(pairs=pairs):
            keyword, names = "ENV", [step.expand(pair.key).text for pair in pairs]
        case Arg(arguments=arguments):
            keyword, names = "ARG", [argument.name for argument in arguments]
        case _:
            return
    for name in names:
        if re.search(_SECRET, name) and not re.search(_NO_SECRET, name):
            yield at(
                step.instruction,
                f"Do not use ARG or ENV instructions for sensitive data ({keyword} {quoted(name)})",
            )


@rule("CopyIgnoredFile", "Attempting to Copy file that is excluded by .dockerignore")
def copy_ignored_file(checked: CheckedStep) -> Iterator[Finding]:
    """Yield a finding for each source that .dockerignore excludes."""
    instruction = checked.instruction
    if isinstance(instruction, Add) or (isinstance(instruction, Copy) and not instruction.from_):
        verb = "Add" if isinstance(instruction, Add) else "Copy"
        for word in instruction.sources:
            text = checked.step.expand(word).text
            source = clean_path(text)
            if not re.match(_REMOTE, text) and checked.excludes(source):
                yield at(
                    instruction,
                    f"Attempting to {verb} file {quoted(source)} that is excluded by .dockerignore",
                )


@rule("ExposeProtoCasing", "Protocol in EXPOSE instruction should be lowercase")
def expose_proto_casing(checked: CheckedStep) -> Iterator[Finding]:
    """Yield a finding for a protocol with capitals in EXPOSE."""
    for port in _exposed(checked.step):
        protocol = port.rpartition(":")[2].partition("/")[2]
        if protocol != protocol.lower():
            yield at(
                checked.instruction,
                f"Defined protocol '{port}' in EXPOSE instruction should be lowercase",
            )


@rule(
    "ExposeInvalidFormat",
    "IP address and host-port mapping should not be used in EXPOSE instruction. This will become "
    "an error in a future release",
)
def expose_invalid_format(checked: CheckedStep) -> Iterator[Finding]:
    """Yield a finding for an address or host port in EXPOSE."""
    for port in _exposed(checked.step):
        if port.rpartition(":")[0].strip(":"):
            yield at(
                checked.instruction,
                "EXPOSE instruction should not define an IP address or host-port mapping, found "
                f"'{port}'",
            )


def _exposed(step: Step) -> Sequence[str]:
    if not isinstance(step.instruction, Expose):
        return ()
    return [port for word in step.instruction.ports for port in step.expand(word).words]


STAGE_RULES: tuple[Rule[KnownStage], ...] = (invalid_base_image_platform,)
STEP_RULES: tuple[Rule[CheckedStep], ...] = (
    undefined_var,
    workdir_relative_path,
    json_args_recommended,
    multiple_instructions_disallowed,
    legacy_key_value_format,
    secrets_used_in_arg_or_env,
    copy_ignored_file,
    expose_proto_casing,
    expose_invalid_format,
)
