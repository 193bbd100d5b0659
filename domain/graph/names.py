"""Names of steps in progress output: ``[build 2/5] RUN make``.

Source: BuildKit dockerfile2llb/convert.go, prefixCommand.
"""

from collections.abc import Mapping
from dataclasses import replace

from img.domain.dockerfile.variables import ExpansionFailed, expand_word
from img.domain.graph.state import StageScope, StageState
from img.domain.platform import InvalidPlatform, Platform
from img.domain.url import redact_urls


def name_step(
    scope: StageScope, state: StageState, text: str, *, on_build: bool = False
) -> tuple[StageState, str]:
    """Return the state with the step counted, and the step's name."""
    text = redact_urls(text)
    if not scope.steps:
        return state, text
    state = replace(state, steps_named=state.steps_named + 1)
    words = [_platform_prefix(state)] if scope.request.multi_platform else []
    words += [scope.stage_name] if scope.stage_name else []
    words.append(f"{state.steps_named:>{len(str(scope.steps))}}/{scope.steps}")
    return state, f"[{' '.join(words)}] {'ONBUILD ' if on_build else ''}{text}"


def command_text(
    original: str, env: Mapping[str, str], escape: str, *, shell_text: bool = False
) -> str:
    """Return the text of an instruction for progress: keyword in capitals, variables expanded.

    In ``shell_text`` (RUN), quotes and variables of the shell are kept.
    """
    try:
        text = expand_word(original, env, escape, skip_unset=shell_text, raw_quotes=shell_text).text
    except ExpansionFailed:
        text = original
    keyword, blank, rest = text.partition(" ")
    return f"{keyword.upper()}{blank}{rest}"


def _platform_prefix(state: StageState) -> str:
    """Return ``linux/amd64``, or ``linux/amd64->arm64`` for a stage that cross-compiles."""
    own = state.platform
    target = _declared_target(state.env, own)
    if target is None or (target.os, target.architecture) == (own.os, own.architecture):
        return own.full_name
    if target.os != own.os:
        return f"{own.full_name}->{target.full_name}"
    return f"{own.full_name}->{str(target).partition('/')[2]}"


def _declared_target(env: Mapping[str, str], own: Platform) -> Platform | None:
    if "TARGETPLATFORM" in env:
        try:
            return Platform.parse(env["TARGETPLATFORM"], own)
        except InvalidPlatform:
            return None
    if not env.keys() & {"TARGETOS", "TARGETARCH", "TARGETVARIANT"}:
        return None
    return Platform(
        env.get("TARGETOS") or own.os,
        env.get("TARGETARCH") or own.architecture,
        env.get("TARGETVARIANT", ""),
    ).normalized()
