"""Whether registries are asked for base images."""

from enum import Enum


class PullPolicy(Enum):
    """When registries are asked for base images."""

    MISSING = "missing"  # for those that are not stored here
    ALWAYS = "always"
    NEWER = "newer"  # always; where one does not answer, what is stored here is used
    NEVER = "never"
