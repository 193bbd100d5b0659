"""Services to targets (bake/compose.go)."""

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from img.domain.bake.compose.build_types import check_build_types, check_service_types
from img.domain.bake.compose.interpolation import Warn, read_dotenv
from img.domain.bake.compose.project import Node, Project, as_mapping, is_local
from img.domain.bake.definition.attributes import Contents
from img.domain.bake.definition.definition import Definition, GroupDefinition
from img.domain.bake.definition.entries import (
    BadEntry,
    Entry,
    attest_entries,
    cache_entries,
    output_entries,
    secret_entries,
    ssh_entries,
)
from img.domain.bake.definition.merging import merge_contents
from img.domain.bake.errors import BakeError
from img.domain.bake.values.numbers import BadNumber, Number
from img.domain.go.booleans import parse_boolean
from img.domain.go.quantities import BadQuantity, parse_byte_size

_BUILD_KEYS = """
context dockerfile dockerfile_inline target args labels tags platforms cache_from cache_to network
no_cache no_cache_filter pull shm_size ulimits extra_hosts ssh secrets entitlements
additional_contexts sbom provenance privileged isolation
"""
_SECRET_KEYS = "name environment file external labels driver driver_opts template_driver"
_INVALID = "invalid compose project"


class Machine(NamedTuple):
    """The facts about this machine that compose files need."""

    variables: Mapping[str, str]
    home: str
    read_text: Callable[[str], str | None]  # None for no file
    warn: Warn
    directory: str = ""  # what contexts are relative to; "" is the working directory


def targets_of(project: Project, machine: Machine) -> Definition:
    """Return the services with a build as targets, and a group of all. Raises BakeError."""
    targets: dict[str, Contents] = {}
    _check(project)
    for name, service in sorted(project.services.items()):
        if "build" not in service:
            continue
        contents = _Service(name, service, project, machine).contents()
        label = name.replace(".", "_")
        before = targets.get(label)
        targets[label] = contents if before is None else merge_contents(before, contents)
    group = GroupDefinition("default", tuple(targets))
    return Definition(targets, {"default": group} if project.services else {})


def _check(project: Project) -> None:
    for name, service in project.services.items():
        if "build" in service and service["build"] is None:
            raise BakeError(f"services.{name}.build: invalid type <nil> for build")
        check_service_types(f"services.{name}", service)
        if "build" not in service and not service.get("image"):
            raise _failed(
                f'service "{name}" has neither an image nor a build context specified: {_INVALID}'
            )
    for name, secret in project.secrets.items():
        if not isinstance(secret, dict):
            raise BakeError(f"secrets.{name} must be a mapping")
        for key in secret:
            if key not in _SECRET_KEYS.split() and not str(key).startswith("x-"):
                raise BakeError(f"secrets.{name} additional properties '{key}' not allowed")
        if not secret.get("external") and not secret.get("file") and not secret.get("environment"):
            raise _failed(
                f'secret "{name}" must declare either `file` or `environment`: {_INVALID}'
            )


def _failed(reason: str) -> BakeError:
    return BakeError(f"failed to parse compose file: {reason}")


class _Service:
    def __init__(
        self, name: str, service: Mapping[str, Node], project: Project, machine: Machine
    ) -> None:
        build = service["build"]
        self._name = name
        self._service = service
        self._project = project
        self._machine = machine
        self._build: dict[str, Node] = {"context": build} if isinstance(build, str) else build
        self._path = f"services.{name}.build"

    def contents(self) -> Contents:
        build = self._build
        if not isinstance(build, dict):
            raise BakeError(f"{self._path} must be a mapping or a string")
        for key in build:
            if key not in _BUILD_KEYS.split() and not key.startswith("x-"):
                raise BakeError(f"{self._path} additional properties '{key}' not allowed")
        check_build_types(self._path, build)
        if build.get("dockerfile") and build.get("dockerfile_inline"):
            raise _failed(
                f'service "{self._name}" declares mutualy exclusive dockerfile and '
                f"dockerfile_inline: {_INVALID}"
            )
        contents: Contents = {"context": self._local(self._build.get("context") or ".")}
        for key in ("dockerfile", "dockerfile_inline", "target", "network"):
            if text := self._build.get(key):
                contents[key.replace("_", "-")] = text
        for key in ("no_cache", "pull"):
            if self._truth(key):
                contents[key.replace("_", "-")] = True
        contents.update(self._maps())
        contents.update(self._lists())
        try:
            contents.update(self._entries())
            return self._with_extension(contents)
        except BadEntry as error:
            raise _failed(str(error)) from None

    def _list(self, key: str) -> list[Node]:
        value: list[Node] = self._build.get(key, [])
        return value

    def _texts(self, key: str) -> list[str]:
        """Return a list of strings, each once."""
        return list(dict.fromkeys(self._list(key)))

    def _truth(self, key: str) -> bool:
        value = self._build.get(key, False)
        if isinstance(value, bool):
            return value
        text = str(value).lower()
        if text in ("true", "yes", "on", "y"):
            return True
        if text in ("false", "no", "off", "n"):
            return False
        raise BakeError(
            "decoding failed due to the following error(s):\n\n"
            f"'services[{self._name}].build.{key}' invalid boolean: {value}"
        )

    def _local(self, path: str) -> str:
        if path == "~" or path.startswith("~/"):
            return posixpath.normpath(self._machine.home + path[1:])
        if not is_local(path):
            return path
        return posixpath.normpath(posixpath.join(self._machine.directory, path))

    def _maps(self) -> Contents:
        made: Contents = {}
        args = as_mapping(self._build.get("args"))
        if args:
            resolved = {key: self._arg(key, value) for key, value in args.items()}
            made["args"] = {key: value for key, value in resolved.items() if value is not None}
        labels = as_mapping(self._build.get("labels"))
        if labels:
            made["labels"] = {
                key: "" if value is None else scalar_text(value) for key, value in labels.items()
            }
        if hosts := self._hosts():
            made["extra-hosts"] = hosts
        contexts = as_mapping(self._build.get("additional_contexts"))
        if contexts:
            made["contexts"] = {key: self._context(key, str(v)) for key, v in contexts.items()}
        return made

    def _arg(self, name: str, value: Node) -> str | None:
        if value is not None:
            return scalar_text(value)
        found = self._environment().get(name)
        return self._machine.variables.get(name) if found is None else found

    def _environment(self) -> dict[str, str]:
        found: dict[str, str] = {}
        files = self._service.get("env_file") or []
        for entry in files if isinstance(files, list) else [files]:
            path = str(entry.get("path", "")) if isinstance(entry, dict) else str(entry)
            required = not isinstance(entry, dict) or entry.get("required", True)
            text = self._machine.read_text(path)
            if text is None and required:
                raise BakeError(
                    f"env file {path} not found: stat {path}: no such file or directory"
                )
            found.update(read_dotenv(text or "", self._machine.variables, self._machine.warn))
        for name, value in as_mapping(self._service.get("environment")).items():
            if value is not None:
                found[name] = scalar_text(value)
        return found

    def _hosts(self) -> dict[str, str]:
        hosts = self._build.get("extra_hosts")
        made: dict[str, list[str]] = {}
        if isinstance(hosts, dict):
            for name, value in hosts.items():
                addresses = value if isinstance(value, list) else [value]
                made[str(name)] = [str(address) for address in addresses]
        for entry in hosts if isinstance(hosts, list) else []:
            name, _, address = str(entry).partition("=" if "=" in str(entry) else ":")
            made.setdefault(name, []).append(address.strip("[]"))
        return {name: ",".join(addresses) for name, addresses in made.items()}

    def _context(self, name: str, value: str) -> str:
        kind, _, other = value.partition(":")
        if kind in ("service", "target") and other:
            if other not in self._project.services:
                raise _failed(
                    f'service "{self._name}" declares unknown service "{other}" as additional '
                    f"contexts {name}"
                )
            if "build" not in self._project.services[other]:
                raise _failed(
                    f'service "{self._name}" declares non-buildable service "{other}" as '
                    f"additional contexts {name}"
                )
            return f"target:{other.replace('.', '_')}"
        return self._local(value)

    def _lists(self) -> Contents:
        made: Contents = {}
        tags = self._texts("tags")
        if image := self._service.get("image"):
            tags = tags or [scalar_text(image)]
        if tags:
            made["tags"] = tags
        if platforms := self._texts("platforms"):
            made["platforms"] = platforms
        if size := self._build.get("shm_size"):
            made["shm-size"] = _size(str(size))
        if limits := self._build.get("ulimits"):
            made["ulimits"] = [_ulimit(str(name), limit) for name, limit in sorted(limits.items())]
        return made

    def _entries(self) -> Contents:
        build = self._build
        made: Contents = {}
        for key in ("cache_from", "cache_to"):
            if texts := self._texts(key):
                made[key.replace("_", "-")] = [e for text in texts for e in cache_entries(text)]
        if secrets := [self._secret(secret) for secret in self._list("secrets")]:
            made["secret"] = secrets
        if ssh := build.get("ssh"):
            agents = dict(as_mapping(ssh).items())
            made["ssh"] = [
                entry
                for key, value in sorted(agents.items())
                for entry in ssh_entries(f"{key}={value}" if value else key)
            ]
        attest = []
        for kind in ("sbom", "provenance"):
            if text := scalar_text(build.get(kind)):
                attest += attest_entries(_attestation(kind, text))
        if attest:
            made["attest"] = attest
        return made

    def _secret(self, secret: Node) -> Entry:
        name = str(secret.get("source", "")) if isinstance(secret, dict) else str(secret)
        if name not in self._project.secrets:
            raise _failed(
                f'service "{self._name}" refers to undefined build secret {name}: {_INVALID}'
            )
        known = self._project.secrets[name]
        if known.get("external"):
            raise _failed(f"unsupported external secret {known.get('name') or ''}")
        if known.get("environment"):
            return {"id": name, "env": str(known["environment"])}
        return {"id": name, "src": self._local(str(known["file"]))}

    def _with_extension(self, contents: Contents) -> Contents:
        """Return the contents with what ``x-bake`` says."""
        extension = self._build.get("x-bake")
        if not isinstance(extension, dict):
            return contents
        made = dict(contents)
        if tags := _words(extension.get("tags")):
            own = self._texts("tags")
            made["tags"] = list(dict.fromkeys([*own, *tags]))
        if platforms := _words(extension.get("platforms")):
            known = self._texts("platforms")
            made["platforms"] = list(dict.fromkeys([*known, *platforms]))
        for key, parse in _EXTENSION.items():
            if words := _words(extension.get(key)):
                entries = [entry for word in words for entry in parse(word)]
                known_entries = made.get(key)
                before = known_entries if isinstance(known_entries, list) else []
                if key in ("secret", "ssh"):
                    made = merge_contents(made, {key: entries})
                else:
                    made[key] = [*before, *(e for e in entries if e not in before)]
        if stages := _words(extension.get("no-cache-filter")):
            made["no-cache-filter"] = stages
        for key in ("pull", "no-cache"):
            if (value := extension.get(key)) is not None:
                if not isinstance(value, bool):
                    raise BadEntry(
                        f"yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `{value}` "
                        "into bool"
                    )
                made[key] = value
        contexts = as_mapping(extension.get("contexts"))
        if contexts:
            texts = {key: str(value) for key, value in contexts.items()}
            own_contexts = made.get("contexts")
            made["contexts"] = {**texts, **(own_contexts if isinstance(own_contexts, dict) else {})}
        return made


_EXTENSION: Mapping[str, Callable[[str], list[Entry]]] = {
    "cache-from": cache_entries,
    "cache-to": cache_entries,
    "secret": secret_entries,
    "ssh": ssh_entries,
    "output": output_entries,
}


def _words(node: Node) -> list[str]:
    if isinstance(node, str):
        return node.split()
    if not isinstance(node, list):
        return []
    if any(isinstance(item, dict | list) for item in node):
        raise BadEntry("yaml: unmarshal errors:\n  line 2: cannot unmarshal !!seq into string")
    return [scalar_text(item) for item in node]


def _attestation(kind: str, text: str) -> str:
    switch = parse_boolean(text)
    if switch is None:
        return f"type={kind},{text}"
    return f"type={kind}" + ("" if switch else ",disabled=true")


def _ulimit(name: str, limit: Node) -> str:
    if isinstance(limit, dict):
        return f"{name}={limit.get('soft', 0)}:{limit.get('hard', 0)}"
    return f"{name}={limit}:{limit}"


def _size(text: str) -> str:
    """Return a size with a binary unit and four digits (go-units, "BytesSize")."""
    try:
        amount = float(parse_byte_size(text))
    except BadQuantity as error:
        raise BakeError(str(error)) from None
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
    at = 0
    while amount >= 1024 and at < len(units) - 1:
        amount /= 1024
        at += 1
    return f"{amount:.4g}{units[at]}"


def scalar_text(value: Node) -> str:
    """Return a value of YAML as Go prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 64 else _float_text(float(value))
    if isinstance(value, float):
        return _float_text(value)
    return "" if value is None else str(value)


def _float_text(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(value)]
    exponent = re.search(r"e([+-]\d+)", f"{value:e}")
    if exponent and -4 <= int(exponent[1]) < 21 and (int(exponent[1]) >= -4):
        try:
            return str(Number.of_float(value))
        except BadNumber:
            return repr(value)
    return re.sub(r"e([+-])(\d)$", r"e\g<1>0\2", repr(value))
