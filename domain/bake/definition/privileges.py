"""Privileges that builds of targets need, and that ``--allow`` gives (bake/entitlements.go).

A definition may come from another person than the one that runs it. Without the option, its builds
reach files of the working directory only. The privileges follow from the parsed build, so that the
paths that are checked are those that are opened.
"""

import posixpath
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, Protocol

from img.domain.bake.definition.environment import BadVariable, parse_bool
from img.domain.bake.definition.plan import LINK
from img.domain.bake.definition.remote import files_are_allowed
from img.domain.bake.definition.target_build import TargetBuild
from img.domain.bake.errors import BakeError
from img.domain.context_location import GitPlace, LayoutPlace, WebPlace, is_web, place_of
from img.domain.digest import InvalidDigest
from img.domain.errors import UsageError
from img.domain.git_reference import BadGitReference
from img.domain.options.cache import CacheExchange, CachePlace, LocalCache
from img.domain.options.entitlements import DELETE_OUTPUT
from img.domain.options.remote_cache import ObjectStoreCache
from img.domain.options.secrets import AgentSpec
from img.domain.outputs import ArchiveOutput, FilesOutput, Output, is_streamed

_FILES_UNCHECKED = "BUILDX_BAKE_ENTITLEMENTS_FS"
_IMAGE = "docker-image://"
_READ, _WRITE = "fs.read", "fs.write"
_SSH = "ssh"
_ROOT = "/"


class Places(Protocol):
    """The methods of the ports of files that the check needs."""

    @abstractmethod
    def kind(self, path: str) -> Literal["file", "directory", ""]:
        """Return the kind of the file at ``path``, "" for none."""

    @abstractmethod
    def is_inside(self, path: str, directory: str) -> bool:
        """Tell whether ``path`` is ``directory`` or below it, links of both followed."""


class Privilege(NamedTuple):
    """A privilege; one for files has the path that it is needed for."""

    name: str
    path: str | None = None

    def __str__(self) -> str:
        return self.name if self.path is None else f"{self.name}={self.path}"


ANY_WRITING = Privilege(_WRITE, _ROOT)


class PrivilegesMissing(UsageError):
    """Targets that need more than ``--allow`` gives."""

    def __init__(self, missing: Iterable[Privilege]) -> None:
        names = sorted(map(str, missing))
        wanted = " ".join(f'--allow "{name}"' for name in names)
        super().__init__(
            f"additional privileges requested: {', '.join(names)}",
            hint=f"if the definition may have them: {wanted}",
        )


class Permissions(NamedTuple):
    """The arguments of ``--allow``; without ``files``, paths are not checked."""

    allowed: frozenset[str]
    files: bool = True

    @classmethod
    def of(
        cls, allowed: Iterable[str], environment: Mapping[str, str], *, remote: bool = False
    ) -> "Permissions":
        """Return the permissions of a command line. Raises BakeError for a bad variable.

        ``remote`` is true for a definition that is not on this machine.
        """
        return cls(frozenset(allowed), _checks_files(environment, remote))

    def require(self, needed: Iterable[Privilege], places: Places) -> None:
        """Raise PrivilegesMissing if ``needed`` has privileges that are not allowed."""
        if missing := self.missing(needed, places):
            raise PrivilegesMissing(missing)

    def missing(self, needed: Iterable[Privilege], places: Places) -> frozenset[Privilege]:
        """Return the privileges among ``needed`` that are not allowed."""
        return frozenset(lost for each in needed for lost in self._missing(each, places))

    def _missing(self, privilege: Privilege, places: Places) -> Iterator[Privilege]:
        name, path = privilege
        if path is None:
            if name not in self.allowed:
                yield privilege
            return
        # Some paths are opened as they are, others after ".." was removed from the text: behind a
        # link these are different files.
        readings = (path, posixpath.normpath(path))
        lost = [each for each in readings if not self._reaches(name, each, places)]
        if len(lost) > 1 and places.is_inside(lost[1], lost[0]):
            lost.pop()
        for each in lost:
            yield Privilege(name, each)

    def _reaches(self, name: str, path: str, places: Places) -> bool:
        bases = (".", *self._places(name))
        return not self.files or any(places.is_inside(path, base) for base in bases)

    def _places(self, name: str) -> Iterator[str]:
        for each in self.allowed:
            key, _, path = each.partition("=")
            if key in ("fs", name):
                yield _ROOT if path == "*" else path


def _checks_files(environment: Mapping[str, str], remote: bool) -> bool:
    unchecked = remote and files_are_allowed(environment)
    text = environment.get(_FILES_UNCHECKED, "")
    if not text:
        return not unchecked
    try:
        return parse_bool(text)
    except BadVariable as error:
        raise BakeError(f'failed to parse {_FILES_UNCHECKED} value "{text}": {error}') from None


def reading(path: str) -> Privilege:
    """Return the privilege to read a file."""
    return Privilege(_READ, path)


def privileges_of(
    build: TargetBuild, places: Places, environment: Mapping[str, str]
) -> frozenset[Privilege]:
    """Return the privileges that ``build`` needs; ``environment`` completes paths of secrets."""
    return frozenset(_privileges(build, places, environment))


def _privileges(
    build: TargetBuild, places: Places, environment: Mapping[str, str]
) -> Iterator[Privilege]:
    yield from map(Privilege, build.entitlements)
    main = _directory(build.location, places)
    contexts = (_context(place, places) for place in build.request.contexts.values())
    files = (secret.file(environment) for secret in build.secrets)
    for path in (main, _dockerfile(build, local=main is not None), *contexts, *files):
        if path is not None:
            yield reading(path)
    yield from _of_agents(build.agents)
    yield from _of_caches(build.caches)
    yield from _of_written(build.outputs, build.caches, places)


def _directory(location: str, places: Places) -> str | None:
    """Return the path of a context that is a directory here, None for a remote one."""
    try:
        place = place_of(location, is_directory=places.kind(location) == "directory")
    except BadGitReference:
        return None
    # "-" is a directory as a named context; as a main context it is refused.
    return None if isinstance(place, GitPlace | WebPlace) else location


def _context(location: str, places: Places) -> str | None:
    """Return the path that a named context has here, None for another place."""
    if location.startswith((LINK, _IMAGE)):
        return None
    try:
        layout = LayoutPlace.parse(location)
    except InvalidDigest:
        return None
    return layout.path if layout is not None else _directory(location, places)


def _dockerfile(build: TargetBuild, *, local: bool) -> str | None:
    """Return the path of a Dockerfile that is not looked for in the context itself."""
    if build.file is None or build.inline is not None or is_web(build.file):
        return None
    return build.file if local or build.file.startswith("/") else None


def _of_agents(agents: Iterable[AgentSpec]) -> Iterator[Privilege]:
    for agent in agents:
        yield from map(reading, agent.paths)
        if not agent.paths:
            yield Privilege(_SSH)


def _of_caches(caches: CacheExchange) -> Iterator[Privilege]:
    for source in caches.sources:
        if isinstance(source, LocalCache):
            yield reading(source.path)
    for place in (*caches.sources, *(target.place for target in caches.targets)):
        if path := _account_file(place):
            yield reading(path)


def _account_file(place: CachePlace | None) -> str:
    return place.access.get("service_account", "") if isinstance(place, ObjectStoreCache) else ""


def _of_written(
    outputs: Iterable[Output], caches: CacheExchange, places: Places
) -> Iterator[Privilege]:
    images: list[str] = []  # directories with the files of an image, so with its links
    for output in outputs:
        match output:
            case FilesOutput() | ArchiveOutput() if not is_streamed(output):
                yield from _writing(output.destination, images, places)
        if isinstance(output, FilesOutput) and not output.tar:
            images.append(output.destination)
            if output.delete:
                yield Privilege(DELETE_OUTPUT)
    for target in caches.targets:
        if isinstance(target.place, LocalCache):
            yield from _writing(target.place.path, images, places)


def _writing(path: str, images: Iterable[str], places: Places) -> Iterator[Privilege]:
    yield Privilege(_WRITE, path)
    # Links that the same build writes before lead to any place.
    if any(places.is_inside(path, image) for image in images):
        yield ANY_WRITING
