"""Remote definitions, and what their paths refer to (commands/bake.go, bake/remote.go).

A definition in a repository or an archive refers to the files beside it: relative contexts are
directories there, and only places below ``cwd://`` are on this machine.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from img.domain.bake.definition.attributes import Contents, pairs_of
from img.domain.bake.definition.environment import BadVariable, parse_bool
from img.domain.bake.errors import BakeError
from img.domain.context_location import WebPlace, is_web, place_of
from img.domain.filesystem import paths
from img.domain.git_reference import GitReference, GitUrl, NotGit, is_git
from img.domain.options.secrets import AgentSpec, SecretSpec

LOCAL = "cwd://"
LARGEST_PAGE = 2 << 20
"""Bytes of a definition that is one file on a web server (bake/remote.go, 2 MB)."""

_NO_DIRECTORY = ("target:", "docker-image:", "oci-layout:")  # places of named contexts
_SUBDIR = r"(?P<before>[^#]*[?&]subdir=)[^&#]*(?P<after>[^#]*)"
_TOKEN, _HEADER = "BUILDX_BAKE_GIT_AUTH_TOKEN", "BUILDX_BAKE_GIT_AUTH_HEADER"
_KEYS = "BUILDX_BAKE_GIT_SSH"
_AGENT = "SSH_AUTH_SOCK"
_FILES_ALLOWED = "BAKE_ALLOW_REMOTE_FS_ACCESS"


class RemoteArguments(NamedTuple):
    """The arguments of a bake: the place of its definition, "" for this machine, and targets."""

    url: str
    command_context: str  # the value of BAKE_CMD_CONTEXT
    targets: tuple[str, ...]

    @classmethod
    def of(cls, words: Sequence[str]) -> "RemoteArguments":
        """Return the arguments: up to two leading URLs, and the names of targets."""
        url, *rest = words if words and is_remote(words[0]) else ("", *words)
        if not url or not rest or not is_remote(rest[0]):
            return cls(url, LOCAL, tuple(rest))
        return cls(url, rest[0], tuple(rest[1:]))


class GitAccess(NamedTuple):
    """Credentials for the host of a remote definition, and for no other one."""

    host: str  # in lower case, with the port
    secrets: tuple[SecretSpec, ...]
    agents: tuple[AgentSpec, ...]

    @classmethod
    def of(cls, url: str, environment: Mapping[str, str]) -> "GitAccess | None":
        """Return the credentials that the environment has for ``url``, None if there are none."""
        try:
            repository = GitUrl.parse(f"https://{url}" if url.startswith("github.com/") else url)
        except NotGit:
            return None
        host = repository.host.lower()
        secrets = tuple(
            SecretSpec(id=kind, env=variable)
            for kind, variable in (("GIT_AUTH_TOKEN", _TOKEN), ("GIT_AUTH_HEADER", _HEADER))
            if environment.get(variable)
        )
        agents: tuple[AgentSpec, ...] = ()
        if repository.scheme == "ssh":
            keys = tuple(path for path in environment.get(_KEYS, "").split(",") if path)
            if keys or environment.get(_AGENT):
                agents = (AgentSpec(id="default", paths=keys),)
        return cls(host, secrets, agents)


def is_remote(text: str) -> bool:
    """Return whether ``text`` is a URL of a web server or a git repository."""
    return is_web(text) or is_git(text)


def files_are_allowed(environment: Mapping[str, str]) -> bool:
    """Tell whether a remote definition may use all files of this machine. Raises BakeError."""
    text = environment.get(_FILES_ALLOWED)
    try:
        return text is not None and parse_bool(text)
    except BadVariable as error:
        raise BakeError(f'failed to parse {_FILES_ALLOWED} value "{text}": {error}') from None


def directory_in(base: str, path: str) -> str:
    """Return the place of the directory ``path`` of the repository or archive ``base``.

    It never leads out of the repository or archive.
    """
    if not paths.clean(path):
        return base
    try:
        within = GitReference.parse(base).subdir
    except NotGit:
        place = place_of(base, is_directory=False)
        assert isinstance(place, WebPlace)
        return f"{place.url}#:{paths.clean(f'{place.subdir}/{path}')}"
    directory = paths.clean(f"{within}/{path}")
    if found := re.fullmatch(_SUBDIR, base):
        return f"{found['before']}{directory}{found['after']}"
    address, _, fragment = base.partition("#")
    return f"{address}#{fragment.partition(':')[0]}:{directory}"


def placed_remotely(contents: Contents, base: str) -> Contents:
    """Return a target with its relative contexts in the repository or archive ``base``.

    Raises BakeError for a Dockerfile that is neither in the context nor below ``cwd://``.
    """
    context, dockerfile = str(contents["context"]), str(contents["dockerfile"])
    if (
        context.startswith(LOCAL)
        and not contents.get("dockerfile-inline")
        and not (dockerfile.startswith(LOCAL) or is_web(dockerfile))
    ):
        raise BakeError(
            "reading a dockerfile for a remote build invocation is currently not supported",
            hint=f'the context is on this machine: dockerfile = "{LOCAL}{dockerfile}"',
        )
    made = {**contents, "context": _placed(context, base)}
    if "contexts" in contents:
        named = pairs_of(contents, "contexts")
        made["contexts"] = {name: _placed(place, base) for name, place in named.items()}
    return made


def _placed(place: str, base: str) -> str:
    if not place or place.startswith((LOCAL, *_NO_DIRECTORY)) or is_remote(place) or place == "-":
        return place
    return directory_in(base, posixpath.normpath(place))
