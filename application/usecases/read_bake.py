"""Bake definitions: the files of a command line, read and put together."""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

from img.application.ports.clock import Clock
from img.application.ports.definition_files import DefinitionFiles
from img.domain.bake.compose.interpolation import read_dotenv
from img.domain.bake.compose.project import ComposeFile, load_project
from img.domain.bake.compose.targets import Machine, targets_of
from img.domain.bake.definition.definition import Definition, as_written, define
from img.domain.bake.definition.evaluator import Inputs
from img.domain.bake.definition.files import (
    DEFAULT_NAMES,
    STANDARD_INPUT,
    names_of_environment,
    placed,
    relative_to_files,
)
from img.domain.bake.definition.privileges import Permissions, reading
from img.domain.bake.definition.remote import LOCAL
from img.domain.bake.errors import BakeError
from img.domain.bake.functions.library import HashPassword, Surroundings
from img.domain.bake.language.body import Body
from img.domain.bake.reading import ReadYaml, read_definition
from img.domain.context_location import is_web
from img.domain.dataclass import dataclass
from img.domain.go.booleans import parse_boolean
from img.domain.platform import Platform
from img.domain.url import redact_credentials

Fetch = Callable[[str, Sequence[str]], bytes | Mapping[str, bytes]]
"""Returns those of the named files that are at a URL, or the content of a single file."""

_VARIABLES_HIDDEN = "BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP"
_DOTENV = ".env"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrounding:
    """Environment, home directory and platform that definitions can read.

    ``allowed`` are the arguments of ``--allow``. ``url`` is the place of a remote definition.
    """

    environment: Mapping[str, str]
    home: str
    host: Platform
    allowed: Sequence[str] = ()
    url: str = ""
    command_context: str = LOCAL


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBakeDefinition:
    """``img bake``: read the files of the command line, or those with the default names."""

    files: DefinitionFiles
    read_yaml: ReadYaml
    clock: Clock
    fetch: Fetch | None = None  # None: nothing is remote
    random_bytes: Callable[[int], bytes] = bytes
    hash_password: HashPassword | None = None
    warn: Callable[[str], None] = field(default=lambda _: None)

    def __call__(
        self, names: Sequence[str], variables: Mapping[str, str], around: Surrounding
    ) -> Definition:
        """Return the definition in the files ``names``; without any, in the default ones.

        ``variables`` are those of ``--var``. Raises BakeError, and PrivilegesMissing for files that
        compose files name outside of the working directory.
        """
        bodies: list[Body] = []
        composed: list[ComposeFile] = []
        found_files = self._contents(names, around)
        for name, content in found_files.contents:
            found = read_definition(name, content, self.read_yaml)
            if isinstance(found, ComposeFile):
                composed.append(found)
            else:
                bodies.append(found)
        hidden = parse_boolean(around.environment.get(_VARIABLES_HIDDEN, "")) is True
        visible = {} if hidden else around.environment
        relative = relative_to_files(around.environment)
        base = None
        if composed:
            path = composed[0].path
            directory = posixpath.dirname(path) if relative and "://" not in path else ""
            permissions = Permissions.of(
                around.allowed, around.environment, remote=bool(around.url)
            )
            files = _NamedFiles(self.files, self.read_yaml, permissions)
            machine = Machine(
                {**visible, **variables}, around.home, files.text, self.warn, directory
            )
            base = self._composed(composed, machine, files)
        now = Surroundings(
            int(self.clock.now().timestamp()), around.home, self.random_bytes, self.hash_password
        )
        builtins = {
            "BAKE_CMD_CONTEXT": around.command_context,
            "BAKE_LOCAL_PLATFORM": str(around.host),
        }
        inputs = Inputs(variables, visible, builtins, now)
        definition = define(bodies, inputs, base, placed if relative else as_written)
        return definition._replace(remote=found_files.remote)

    def _contents(self, given: Sequence[str], around: Surrounding) -> "_Found":
        """Return the files that are not empty. Raises BakeError if there is none."""
        listed = () if given else names_of_environment(around.environment)
        names = [*given, *listed]
        if names.count(STANDARD_INPUT) > 1:
            raise BakeError("stdin can be only used once as a bake definition")
        remote, contents = "", dict[str, bytes]()
        local = [name.removeprefix(LOCAL) for name in names]
        if around.url:
            local = [name.removeprefix(LOCAL) for name in names if name.startswith(LOCAL)]
            remote, contents = self._remote(
                around.url, [name for name in names if not name.startswith(LOCAL)]
            )
        elif not names:
            found = {name: self.files.read(name) for name in DEFAULT_NAMES}
            contents = {name: content for name, content in found.items() if content is not None}
        verb = "stat" if listed else "open"
        here = {name: self._local(name, verb) for name in local}
        all_found = [*contents.items(), *here.items()]
        full = [(redact_credentials(name), content) for name, content in all_found if content]
        if not full:
            raise BakeError("couldn't find a bake definition")
        return _Found(full, remote)

    def _local(self, name: str, verb: str) -> bytes:
        """Return a file of this machine, or a single one of a web server."""
        if self.fetch is not None and is_web(name):
            content = self.fetch(name, ())
            if isinstance(content, bytes):
                return content
            raise BakeError(
                f"{redact_credentials(name)} is an archive or a repository",
                hint="a definition in one is named without -f: img bake URL",
            )
        found = self.files.read(name)
        if found is None:
            raise BakeError(f"{verb} {name}: no such file or directory")
        return found

    def _remote(self, url: str, names: Sequence[str]) -> tuple[str, dict[str, bytes]]:
        """Return the place that paths refer to, "" for the working directory, and the files."""
        assert self.fetch is not None
        found = self.fetch(url, names or DEFAULT_NAMES)
        if isinstance(found, bytes):
            return "", {url: found}
        for name in names:
            if name not in found:
                raise BakeError(
                    f"open {name}: no such file or directory in {redact_credentials(url)}",
                    hint=f"-f {LOCAL}{name} is the file of the working directory",
                )
        return url, dict(found)

    def _composed(
        self, loaded: list[ComposeFile], machine: Machine, files: "_NamedFiles"
    ) -> Definition:
        dotenv = read_dotenv(files.text(_DOTENV) or "", machine.variables, self.warn)
        documents = [each for file in loaded for each in file.documents if isinstance(each, dict)]
        project = next((str(each["name"]) for each in documents if "name" in each), "bake")
        variables = {"COMPOSE_PROJECT_NAME": project, **dotenv, **machine.variables}
        machine = machine._replace(variables=variables)
        return targets_of(load_project(loaded, variables, files.composed, self.warn), machine)


class _Found(NamedTuple):
    """The contents of files by name, and the place that their relative contexts are in."""

    contents: list[tuple[str, bytes]]
    remote: str


@dataclass(frozen=True, slots=True)
class _NamedFiles:
    """The files that compose files name: they may be anywhere, so they need privileges."""

    files: DefinitionFiles
    read_yaml: ReadYaml
    permissions: Permissions

    def composed(self, name: str) -> ComposeFile:
        """Return the content of a compose file. Raises BakeError, PrivilegesMissing."""
        content = self._content(name)
        if content is None:
            raise BakeError(f"open {name}: no such file or directory")
        return self.read_yaml(name, content)

    def text(self, name: str) -> str | None:
        """Return the text of a file, None for a directory, and where there is none."""
        found = self._content(name) if self.files.kind(name) == "file" else None
        return None if found is None else found.decode("utf-8", "replace")

    def _content(self, name: str) -> bytes | None:
        self.permissions.require([reading(name)], self.files)
        return self.files.read(name)
