"""Policies of builds: from settings files, a variable, and options."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence

from img.domain.errors import UsageError
from img.domain.options.verify_base import parse_verify_base
from img.domain.policy.policies import Policies
from img.domain.policy.policy import BadPolicy, Policy, SignedImages
from img.domain.policy.source_policy import LARGEST, SourcePolicy
from img.entrypoints.settings_files import SOURCE_POLICY, settings_files_here

_LARGEST = 1 << 20  # bytes of a settings file
_LARGEST_KEY = 64 << 10


def policies_of(
    environment: Mapping[str, str], verify_base: Sequence[str] = (), source_policy: str = ""
) -> Policies | None:
    """Return the policies of a build, None without any. Raises UsageError, BadPolicy …"""
    given = [file for file in (environment.get(SOURCE_POLICY, ""), source_policy) if file]
    return _read(settings_files_here(environment), given, verify_base)


def _read(
    files: Sequence[str], source_policies: Sequence[str], verify_base: Sequence[str]
) -> Policies | None:
    rules = [policy for file in files if (policy := _policy_in(file)) is not None]
    if keys := parse_verify_base(verify_base):
        rules.append(Policy(file="--verify-base", signed=(SignedImages(images=(), keys=keys),)))
    sources = [SourcePolicy.parse(_content(file, LARGEST), file) for file in source_policies]
    if not (rules or sources):
        return None
    places = {key for policy in rules for each in policy.signed for key in each.keys}
    return Policies(
        sources=tuple(sources),
        rules=tuple(rules),
        keys={place: _content(place, _LARGEST_KEY) for place in sorted(places)},
    )


def _policy_in(file: str) -> Policy | None:
    """Return the policy of a settings file, None if it has none."""
    try:
        document = tomllib.loads(_content(file, _LARGEST).decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise BadPolicy(f"{file}: {error}") from None
    if "policy" not in document:
        return None
    return Policy.parse(document["policy"], file, os.path.dirname(os.path.abspath(file)))


def _content(file: str, most: int) -> bytes:
    """Return the content of a file. Raises UsageError, also if it is too large."""
    try:
        with open(file, "rb") as opened:
            content = opened.read(most + 1)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read {file}, which a policy needs: {why}") from None
    if len(content) > most:
        raise UsageError(f"{file} has more than {most} bytes")
    return content
