"""Wiring of policies, which decide on the sources and the results of builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from img.application.policy.guard import PolicyGuard
from img.entrypoints.wiring.setup import Setup

if TYPE_CHECKING:
    from img.application.outputs.check_results import CheckResults
    from img.application.outputs.solved import Solved
    from img.application.policy.signed_images import CheckSigned


def policy_guard(setup: Setup, signed: Callable[..., CheckSigned]) -> PolicyGuard:
    """Return the guard that checks sources with the policies of the settings."""
    policies = setup.settings.policies
    assert policies is not None
    return PolicyGuard(
        sources=policies.sources, rules=policies.rules, signed=signed(files=policies.keys)
    )


def result_check(
    setup: Setup, check: Callable[..., CheckResults]
) -> Callable[[Sequence[Solved]], None]:
    """Return the check of results with the policies of the settings."""
    policies = setup.settings.policies
    assert policies is not None
    if not any(policy.reads_results for policy in policies.rules):
        return lambda _: None
    return check(rules=policies.rules)
