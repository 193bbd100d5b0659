"""The directory of the state if none is given."""

from __future__ import annotations

import os
from collections.abc import Mapping


def default_state(environment: Mapping[str, str]) -> str:
    """Return the state directory: $IMG_STATE, $XDG_DATA_HOME/img, ~/.local/share/img, /tmp/img-UID.

    Another user can create the last one, so its owner has to be checked.
    """
    if state := environment.get("IMG_STATE"):
        return state
    if data := environment.get("XDG_DATA_HOME", "").partition(os.pathsep)[0]:
        return os.path.join(data, "img")
    if home := _own_home(environment.get("HOME", "")):
        return os.path.join(home, ".local", "share", "img")
    return f"/tmp/img-{os.geteuid()}"


def _own_home(home: str) -> str:
    """Return ``home``, or the user database's directory if another user owns ``home``.

    ``sudo -E`` and the containers of GitHub's workflows keep the HOME of another user.
    """
    try:
        owner = os.stat(home).st_uid
    except OSError:
        return home
    if owner in (0, os.geteuid()):
        return home
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return home
