"""All policies of a build."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.policy.policy import Policy
from img.domain.policy.source_policy import SourcePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Policies of which each has to be kept, and the public keys that they name, by path."""

    sources: tuple[SourcePolicy, ...] = ()
    rules: tuple[Policy, ...] = ()
    keys: Mapping[str, bytes] = field(default_factory=dict, hash=False)
