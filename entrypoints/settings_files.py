"""The places of settings files (docs/policy.md). Few builds have any, so this imports nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

SOURCE_POLICY = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"
"""buildx's variable with the file of a source policy."""

SYSTEM = "/etc/img/settings.toml"


def settings_files(environment: Mapping[str, str]) -> Sequence[str]:
    """Return the paths of settings files, which need not exist: the system's, and the user's.

    The user's is $IMG_SETTINGS, else img/settings.toml in $XDG_CONFIG_HOME or ~/.config.
    """
    if own := environment.get("IMG_SETTINGS"):
        return (SYSTEM, own)
    if config := environment.get("XDG_CONFIG_HOME"):
        return (SYSTEM, os.path.join(config, "img", "settings.toml"))
    if home := environment.get("HOME"):
        return (SYSTEM, os.path.join(home, ".config", "img", "settings.toml"))
    return (SYSTEM,)


def settings_files_here(environment: Mapping[str, str]) -> Sequence[str]:
    """Return the settings files to read: those that exist, and the one of $IMG_SETTINGS."""
    own = environment.get("IMG_SETTINGS")
    return [file for file in settings_files(environment) if file == own or os.path.lexists(file)]


def may_have_policies(environment: Mapping[str, str]) -> bool:
    """Return whether a variable or a settings file may have a policy."""
    return bool(environment.get(SOURCE_POLICY) or settings_files_here(environment))
