"""Bake definitions: the files of a command line, read and put together."""

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

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
from img.domain.bake.errors import BakeError
from img.domain.bake.functions.library import Surroundings
from img.domain.bake.language.body import Body
from img.domain.bake.reading import ReadYaml, read_definition
from img.domain.dataclass import dataclass
from img.domain.go.booleans import parse_boolean
from img.domain.platform import Platform

_LOCAL = "cwd://"
_VARIABLES_HIDDEN = "BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP"
_DOTENV = ".env"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrounding:
    """Environment, home directory and platform that definitions can read.

    ``allowed`` are the arguments of ``--allow``.
    """

    environment: Mapping[str, str]
    home: str
    host: Platform
    allowed: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBakeDefinition:
    """``img bake``: read the files of the command line, or those with the default names."""

    files: DefinitionFiles
    read_yaml: ReadYaml
    clock: Clock
    random_bytes: Callable[[int], bytes] = bytes
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
        for name, content in self._contents(names, around.environment):
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
            directory = posixpath.dirname(composed[0].path) if relative else ""
            files = _NamedFiles(
                self.files, self.read_yaml, Permissions.of(around.allowed, around.environment)
            )
            machine = Machine(
                {**visible, **variables}, around.home, files.text, self.warn, directory
            )
            base = self._composed(composed, machine, files)
        now = Surroundings(int(self.clock.now().timestamp()), around.home, self.random_bytes)
        builtins = {"BAKE_CMD_CONTEXT": _LOCAL, "BAKE_LOCAL_PLATFORM": str(around.host)}
        inputs = Inputs(variables, visible, builtins, now)
        return define(bodies, inputs, base, placed if relative else as_written)

    def _contents(
        self, given: Sequence[str], environment: Mapping[str, str]
    ) -> Iterable[tuple[str, bytes]]:
        """Return the files that are not empty, by name. Raises BakeError if there is none."""
        asked = [name.removeprefix(_LOCAL) for name in given]
        if asked.count(STANDARD_INPUT) > 1:
            raise BakeError("stdin can be only used once as a bake definition")
        listed = names_of_environment(environment)
        read = {name: self.files.read(name) for name in asked or listed or DEFAULT_NAMES}
        for name, content in read.items():
            if content is None and (asked or listed):
                verb = "open" if asked else "stat"
                raise BakeError(f"{verb} {name}: no such file or directory")
        found = [(name, content) for name, content in read.items() if content]
        if not found:
            raise BakeError("couldn't find a bake definition")
        return found

    def _composed(
        self, loaded: list[ComposeFile], machine: Machine, files: "_NamedFiles"
    ) -> Definition:
        dotenv = read_dotenv(files.text(_DOTENV) or "", machine.variables, self.warn)
        documents = [each for file in loaded for each in file.documents if isinstance(each, dict)]
        project = next((str(each["name"]) for each in documents if "name" in each), "bake")
        variables = {"COMPOSE_PROJECT_NAME": project, **dotenv, **machine.variables}
        machine = machine._replace(variables=variables)
        return targets_of(load_project(loaded, variables, files.composed, self.warn), machine)


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
