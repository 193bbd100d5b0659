"""Names of git repositories in source policies (BuildKit, client/llb/source.go, Git)."""

import re
from dataclasses import replace

from img.domain.graph.operations import FetchGit

_SCHEME = "git://"
_REMOTE = re.compile(r"(?s)(?:(?P<scheme>[a-z+]+)://)?(?:(?P<user>[^/@]*)@)?(?P<rest>.*)")


def git_identifier(operation: FetchGit) -> str:
    """Return the name of a checkout: ``git://HOST/PATH``, with ``#REF:DIRECTORY`` if given."""
    found = _REMOTE.fullmatch(operation.remote)
    assert found is not None
    place = found["rest"]
    if not found["scheme"]:  # git@host:path
        place = place.replace(":", "/", 1)
    fragment = operation.ref + (f":{operation.subdir}" if operation.subdir else "")
    return f"{_SCHEME}{place}" + (f"#{fragment}" if fragment else "")


def with_git_identifier(operation: FetchGit, identifier: str) -> FetchGit | None:
    """Return the checkout with another name, None if the name is not that of a repository.

    Scheme and user of the remote stay.
    """
    if not identifier.startswith(_SCHEME):
        return None
    place, _, fragment = identifier.removeprefix(_SCHEME).partition("#")
    ref, _, subdir = fragment.partition(":")
    found = _REMOTE.fullmatch(operation.remote)
    assert found is not None
    if place == git_identifier(replace(operation, ref="", subdir="")).removeprefix(_SCHEME):
        return replace(operation, ref=ref, subdir=subdir)
    user = f"{found['user']}@" if found["user"] else ""
    scheme = found["scheme"] or "ssh"
    return replace(operation, remote=f"{scheme}://{user}{place}", ref=ref, subdir=subdir)
