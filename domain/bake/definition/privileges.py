"""Privileges that targets need, and that ``--allow`` gives (bake/entitlements.go).

A definition may come from somewhere else than the one that runs it. Without the option, it reaches
files of the working directory only.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Protocol

from img.domain.bake.definition.attributes import Contents, entries_of, pairs_of, texts_of
from img.domain.bake.definition.entries import (
    BadEntry,
    Entry,
    cache_entries,
    output_entries,
    secret_entries,
    ssh_entries,
)
from img.domain.bake.definition.environment import BadVariable, parse_bool
from img.domain.bake.definition.plan import LINK, Plan
from img.domain.bake.errors import BakeError
from img.domain.context_location import LocalPlace, place_of
from img.domain.git_reference import BadGitReference

_FILES_UNCHECKED = "BUILDX_BAKE_ENTITLEMENTS_FS"
_READ, _WRITE = "fs.read", "fs.write"
_LOCAL = "cwd://"


class Places(Protocol):
    """The part of the ports of files that is needed here."""

    @abstractmethod
    def is_inside(self, path: str, directory: str) -> bool:
        """Tell whether ``path`` is ``directory`` or below it, links of both followed."""


def missing_privileges(
    plan: Plan,
    allowed: Iterable[str],
    overrides: Iterable[str],
    places: Places,
    environment: Mapping[str, str],
) -> list[str]:
    """Return the arguments of ``--allow`` that the targets need besides ``allowed``, sorted.

    Paths that ``overrides`` (``--set``) name are allowed. Raises BakeError for a bad variable.
    """
    given = set(allowed)
    needed = {each for contents in plan.targets.values() for each in _privileges(contents)}
    missing = {name for name, path in needed if not path and name not in given}
    if not _checks_files(environment):
        return sorted(missing)
    named = {path for _, path in _of_overrides(overrides)}
    for name, path in needed:
        if not path or path in named or places.is_inside(path, "."):
            continue
        if not any(places.is_inside(path, base) for base in _allowed_places(given, name)):
            missing.add(f"{name}={path}")
    return sorted(missing)


def _checks_files(environment: Mapping[str, str]) -> bool:
    text = environment.get(_FILES_UNCHECKED, "")
    if not text:
        return True
    try:
        return parse_bool(text)
    except BadVariable as error:
        raise BakeError(f'failed to parse {_FILES_UNCHECKED} value "{text}": {error}') from None


def _allowed_places(given: Iterable[str], name: str) -> Iterator[str]:
    for each in given:
        key, _, path = each.partition("=")
        if key in ("fs", name):
            yield "/" if path == "*" else path


def _privileges(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield the privileges of a target; of files with their path."""
    for entitlement in texts_of(contents, "entitlements"):
        yield entitlement, ""
    locations = (str(contents.get("context") or "."), *pairs_of(contents, "contexts").values())
    for location in locations:
        if (path := local_path(location)) is not None:
            yield _READ, path
    base = local_path(locations[0])
    dockerfile = str(contents.get("dockerfile") or "")
    if base is not None and dockerfile and not contents.get("dockerfile-inline"):
        found = local_path(dockerfile)
        if found is not None:
            own = dockerfile.startswith((_LOCAL, "/"))
            yield _READ, found if own else f"{base}/{found}"
    yield from _of_secrets(entries_of(contents, "secret"))
    yield from _of_agents(entries_of(contents, "ssh"))
    yield from _of_caches(entries_of(contents, "cache-from"))
    yield from _of_caches(entries_of(contents, "cache-to"))
    yield from _of_outputs(entries_of(contents, "output"))


def local_path(location: str) -> str | None:
    """Return the path that a context names on this machine, None for another place."""
    if location.startswith(_LOCAL):
        return location.removeprefix(_LOCAL) or "."
    if location.startswith("oci-layout://"):
        return location.removeprefix("oci-layout://").partition("@")[0]
    if location.startswith((LINK, "docker-image://")):
        return None
    try:
        place = place_of(location, is_directory=False)
    except BadGitReference:
        return None
    return place.path if isinstance(place, LocalPlace) else None


def _of_secrets(secrets: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    return ((_READ, str(entry["src"])) for entry in secrets if entry.get("src"))


def _of_agents(agents: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    for agent in agents:
        paths = agent.get("paths")
        if not isinstance(paths, list) or not paths:
            yield "ssh", ""
            continue
        yield from ((_READ, str(path)) for path in paths)


def _of_caches(caches: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    for cache in caches:
        if cache.get("type") == "local":
            yield from ((_READ, str(cache[key])) for key in ("src",) if cache.get(key))
            yield from ((_WRITE, str(cache[key])) for key in ("dest",) if cache.get(key))


def _of_outputs(outputs: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    for output in outputs:
        path = str(output.get("dest") or "")
        if path and path != "-":
            yield _WRITE, path
        if output.get("type") == "local" and output.get("mode") == "delete":
            yield "buildx.local.delete", ""


def _of_overrides(overrides: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in overrides:
        name, _, value = text.partition("=")
        with suppress(BadEntry):
            match name.removesuffix("+").split(".")[1:2]:
                case ["output"]:
                    yield from _of_outputs(output_entries(value))
                case ["cache-from" | "cache-to"]:
                    yield from _of_caches(cache_entries(value))
                case ["secret" | "secrets"]:
                    yield from _of_secrets(secret_entries(value))
                case ["ssh"]:
                    yield from _of_agents(ssh_entries(value))
