"""Several compose files to services (compose-go, loader and override)."""

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from img.domain.bake.compose.interpolation import (
    BadInterpolation,
    MissingVariable,
    Warn,
    interpolate,
)
from img.domain.bake.errors import BakeError

Node = Any  # what YAML has: mappings, lists, texts, numbers, truth values, None, and Tagged
_SERVICE = re.compile(r"[a-zA-Z0-9._-]+")
_MOST_FILES = 100
_MOST_NODES = 200_000
_APPENDED = frozenset(("tags", "platforms", "cache_from", "cache_to", "env_file"))
_BY_NAME = {"args": "=", "labels": "=", "environment": "=", "additional_contexts": "=", "ssh": "="}


class Tagged(NamedTuple):
    """A value behind ``!reset`` or ``!override``."""

    tag: str
    value: Node


class ComposeFile(NamedTuple):
    """The documents of a file, parsed."""

    path: str
    documents: list[Node]


Read = Callable[[str], ComposeFile]


class Project(NamedTuple):
    """Services and secrets of all files."""

    services: dict[str, dict[str, Node]]
    secrets: dict[str, Node]


def load_project(
    files: list[ComposeFile], variables: Mapping[str, str], read: Read, warn: Warn
) -> Project:
    """Return the services of ``files``; ``read`` gives files that they name. Raises BakeError."""
    try:
        return _Loader(variables, read, warn).project(files)
    except RecursionError:
        raise BakeError("a compose file nests too deeply") from None


class _Loader:
    def __init__(self, variables: Mapping[str, str], read: Read, warn: Warn) -> None:
        self._variables = variables
        self._read = read
        self._warn = warn
        self._files = 0
        self._nodes = 0

    def project(self, files: list[ComposeFile]) -> Project:
        merged: dict[str, Node] = {}
        for file in files:
            self._count()
            for document in file.documents or [None]:
                own = self._with_extensions(self._included(self._document(document)))
                merged = merge_nodes(merged, own, ())
        merged = _without_tags(merged)
        if "services" not in merged:
            raise BakeError("empty compose file")
        services = merged["services"]
        if not isinstance(services, dict):
            raise BakeError("services must be a mapping")
        for name, service in services.items():
            if not _SERVICE.fullmatch(str(name)):
                raise BakeError(f"services additional properties '{name}' not allowed")
            if service is not None and not isinstance(service, dict):
                raise BakeError(f"services.{name} must be a mapping")
        known = {str(name): service or {} for name, service in services.items()}
        secrets = merged.get("secrets") or {}
        return Project(known, secrets if isinstance(secrets, dict) else {})

    def _count(self) -> None:
        self._files += 1
        if self._files > _MOST_FILES:
            raise BakeError(f"more than {_MOST_FILES} compose files")

    def _document(self, document: Node) -> dict[str, Node]:
        if document is None:
            raise BakeError("empty compose file")
        if not isinstance(document, dict):
            raise BakeError("top-level object must be a mapping")
        made = self._interpolated(document, ())
        assert isinstance(made, dict)
        return made

    def _interpolated(self, node: Node, path: tuple[str, ...]) -> Node:
        self._nodes += 1  # aliases of aliases of aliases are counted each time
        if self._nodes > _MOST_NODES:
            raise BakeError(f"compose files with more than {_MOST_NODES} values")
        if isinstance(node, dict):
            return {
                str(key): self._interpolated(value, (*path, str(key)))
                for key, value in node.items()
            }
        if isinstance(node, list):
            return [self._interpolated(value, (*path, f"[{at}]")) for at, value in enumerate(node)]
        if isinstance(node, Tagged):
            return Tagged(node.tag, self._interpolated(node.value, path))
        if not isinstance(node, str):
            return node
        where = ".".join(path).replace(".[", "[")
        try:
            return interpolate(node, self._variables, self._warn)
        except BadInterpolation:
            raise BakeError(
                f"invalid interpolation format for {where}.\n"
                f"You may need to escape any $ with another $.\n{node}"
            ) from None
        except MissingVariable as error:
            raise BakeError(f"error while interpolating {where}: {error}") from None

    def _included(self, merged: dict[str, Node]) -> dict[str, Node]:
        included = merged.get("include")
        base: dict[str, Node] = {}
        for entry in included if isinstance(included, list) else []:
            paths = entry.get("path") if isinstance(entry, dict) else entry
            for path in paths if isinstance(paths, list) else [paths]:
                self._count()
                for document in self._read(str(path)).documents:
                    inner = self._included(_without_tags(self._document(document)))
                    inner = self._with_extensions(inner)
                    base = merge_nodes(base, _relative(inner, posixpath.dirname(str(path))), ())
        return merge_nodes(base, merged, ()) if base else merged

    def _with_extensions(self, document: dict[str, Node]) -> dict[str, Node]:
        """Return a document with the services that its services extend; others come later."""
        services = document.get("services")
        if not isinstance(services, dict):
            return document
        made = {
            name: self._extended(str(name), services, ()) if isinstance(service, dict) else service
            for name, service in services.items()
        }
        return {**document, "services": made}

    def _extended(
        self, name: str, services: Mapping[str, Node], above: tuple[str, ...]
    ) -> dict[str, Node]:
        service: dict[str, Node] = dict(services.get(name) or {})
        extends = service.pop("extends", None)
        if extends is None or isinstance(extends, Tagged):
            return service
        if isinstance(extends, str):
            extends = {"service": extends}
        if not isinstance(extends, dict) or "service" not in extends:
            raise BakeError(f"services.{name}.extends.service is required")
        path, base = str(extends.get("file") or ""), str(extends["service"])
        if f"{path}:{base}" in above:
            raise BakeError(f"circular reference: {name} extends {base}")
        above = (*above, f"{path}:{base}")
        others = services
        if path:
            self._count()
            others = {}
            for document in self._read(path).documents:
                loaded = _without_tags(self._document(document)).get("services")
                others = merge_nodes(others, loaded or {}, ("services",))
        if base not in others:
            where = f" in {path}" if path else ""
            raise BakeError(f"service {base!r} not found{where}".replace("'", '"'))
        parent = _without_tags(self._extended(base, others, above))
        if path:
            directory = posixpath.dirname(path)
            parent = _moved(parent, directory) if directory else parent
        merged: dict[str, Node] = merge_nodes(parent, service, ("services", name))
        return merged


def merge_nodes(first: Node, second: Node, path: tuple[str, ...]) -> Node:
    """Return two values as one: mappings merge, some lists append, all else is replaced."""
    if isinstance(second, Tagged):
        return second
    if isinstance(first, Tagged):
        first = None if first.tag == "!reset" else first.value
    key = path[-1] if path else ""
    if key in _BY_NAME and isinstance(first, dict | list) and isinstance(second, dict | list):
        return {**as_mapping(first), **as_mapping(second)}
    if key == "build":
        first = {"context": first} if isinstance(first, str) else first
        second = {"context": second} if isinstance(second, str) else second
    if isinstance(first, dict) and isinstance(second, dict):
        merged = dict(first)
        for name, value in second.items():
            merged[name] = (
                merge_nodes(merged[name], value, (*path, str(name))) if name in merged else value
            )
        return merged
    if isinstance(first, list) and isinstance(second, list) and key in _APPENDED:
        return [*first, *(item for item in second if item not in first)]
    return first if second is None and isinstance(first, dict) else second


def as_mapping(node: Node) -> dict[str, Node]:
    """Return ``[A=x, B]`` or a mapping as a mapping; a name alone has no value."""
    if isinstance(node, dict):
        return {str(key): value for key, value in node.items()}
    made: dict[str, Node] = {}
    for item in node if isinstance(node, list) else []:
        name, equals, value = str(item).partition("=")
        made[name] = value if equals else None
    return made


def _without_tags(node: Node) -> Node:
    """Take away what ``!reset`` names, and keep what ``!override`` has."""
    if isinstance(node, dict):
        return {
            key: _without_tags(value.value if isinstance(value, Tagged) else value)
            for key, value in node.items()
            if not (isinstance(value, Tagged) and value.tag == "!reset")
        }
    if isinstance(node, list):
        return [_without_tags(item) for item in node if not isinstance(item, Tagged)]
    return node.value if isinstance(node, Tagged) else node


def _relative(document: dict[str, Node], directory: str) -> dict[str, Node]:
    """Return a document with contexts relative to the directory of its file."""
    services = document.get("services")
    if not directory or not isinstance(services, dict):
        return document
    made = {name: _moved(service, directory) for name, service in services.items()}
    return {**document, "services": made}


def _moved(service: Node, directory: str) -> Node:
    build = service.get("build") if isinstance(service, dict) else None
    build = {"context": build} if isinstance(build, str) else build
    if not isinstance(build, dict):
        return service
    context = str(build.get("context", "."))
    if is_local(context):
        context = posixpath.normpath(posixpath.join(directory, context))
    return {**service, "build": {**build, "context": context}}


def is_local(context: str) -> bool:
    """Tell whether a context is a relative path of this machine."""
    return not re.match(r"[a-z][a-z0-9+.-]*:|/|~|[\w.-]+@[\w.-]+:|github\.com/", context)
