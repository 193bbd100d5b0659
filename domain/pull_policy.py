"""Pull policies for base images."""

from enum import Enum


class PullPolicy(Enum):
    """The condition for a request to a registry for a base image."""

    MISSING = "missing"  # for images that are not stored here
    ALWAYS = "always"
    NEWER = "newer"  # always; if the registry does not answer, the stored image is used
    NEVER = "never"
