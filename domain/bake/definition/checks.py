"""Checks of a plan before it is built or printed (bake/bake.go, "toBuildOpt")."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, Protocol

from img.domain.bake.definition.attributes import Contents, entries_of, pairs_of, texts_of
from img.domain.bake.definition.entries import Entry
from img.domain.bake.definition.plan import Plan
from img.domain.bake.errors import BakeError
from img.domain.errors import ImgError
from img.domain.go.quantities import BadQuantity, parse_byte_size
from img.domain.options.annotations import parse_annotation
from img.domain.options.limits import parse_ulimit
from img.domain.platform import InvalidPlatform, Platform

_ARCHIVES = ("tar", "oci", "docker")


class LocalFiles(Protocol):
    """Files of this machine that targets name."""

    @abstractmethod
    def kind(self, path: str) -> Literal["file", "directory", ""]:
        """Return the kind of the file at ``path``, "" for none."""

    @abstractmethod
    def is_private_key(self, path: str) -> bool:
        """Tell whether the file at ``path`` is a private key for SSH."""

    @abstractmethod
    def is_socket(self, path: str) -> bool:
        """Tell whether there is a socket at ``path``."""


def checked(plan: Plan, files: LocalFiles, environment: Mapping[str, str], host: Platform) -> Plan:
    """Return the plan with what follows from it written out. Raises BakeError."""
    check = _Check(files, environment, host)
    targets = {name: check.target(contents) for name, contents in sorted(plan.targets.items())}
    return plan._replace(targets=targets)


class _Check:
    def __init__(self, files: LocalFiles, environment: Mapping[str, str], host: Platform) -> None:
        self._files = files
        self._environment = environment
        self._host = host

    def target(self, contents: Contents) -> Contents:
        if contents.get("context") == "-":
            raise BakeError("context from stdin not allowed in bake")
        if contents.get("dockerfile") == "-":
            raise BakeError("dockerfile from stdin not allowed in bake")
        for secret in entries_of(contents, "secret"):
            self._secret(secret)
        for agent in entries_of(contents, "ssh"):
            self._ssh(agent)
        for platform in texts_of(contents, "platforms"):
            self._platform(platform)
        outputs = self._outputs(entries_of(contents, "output"))
        for annotation in texts_of(contents, "annotations"):
            _as_bake(partial(parse_annotation, annotation, self._host))
        self._amounts(contents)
        return {**contents, "output": outputs} if outputs else contents

    def _secret(self, secret: Entry) -> None:
        name = str(secret.get("id", ""))
        if not name:
            raise BakeError("secret missing ID")
        path = str(secret.get("src", ""))
        if not path and "env" not in secret and name not in self._environment:
            path = name
        if path and not self._files.kind(path):
            raise BakeError(f"failed to stat {path}: stat {path}: no such file or directory")

    def _ssh(self, agent: Entry) -> None:
        name = str(agent.get("id", "")) or "default"
        listed = agent.get("paths")
        paths = [str(path) for path in listed] if isinstance(listed, list) else []
        shown = f"{agent.get('id', '')} [{' '.join(paths)}] false"
        failed = (
            f"failed to convert agent config {{{shown}}}: "
            f'failed to convert agent config for ID: "{name}":'
        )
        if not paths:
            if not self._environment.get("SSH_AUTH_SOCK"):
                raise BakeError(
                    "failed to convert agent config: invalid empty ssh agent socket: make sure "
                    "SSH_AUTH_SOCK is set"
                )
            return
        for path in paths:
            if self._files.is_socket(path):
                continue
            if not self._files.kind(path):
                raise BakeError(f"{failed} stat {path}: no such file or directory")
            if not self._files.is_private_key(path):
                raise BakeError(f"{failed} failed to parse {path}: ssh: no key found")

    def _platform(self, text: str) -> None:
        for part in text.split(","):
            if part == "local":
                continue
            try:
                Platform.parse(part, self._host)
            except InvalidPlatform:
                reason = (
                    "cannot parse platform specifier"
                    if "/" in part or not part
                    else "unknown operating system or architecture"
                )
                raise BakeError(f'"{part}": {reason}: invalid argument') from None

    def _outputs(self, outputs: list[Entry]) -> list[Entry]:
        made = []
        streams = 0
        for written in outputs:
            entry = written
            kind = str(entry.get("type", ""))
            if kind == "local" and not entry.get("dest"):
                raise BakeError("dest is required for local exporter")
            if kind in ("tar", "oci") and not entry.get("dest"):
                entry = dict(sorted({**entry, "dest": "-"}.items()))
            dest = str(entry.get("dest", ""))
            if kind in _ARCHIVES and dest:
                if dest == "-":
                    streams += 1
                elif self._files.kind(dest) == "directory" and entry.get("tar", "true") != "false":
                    raise BakeError(f"destination file {dest} is a directory")
            if kind == "local" and dest == "-":
                raise BakeError("dest cannot be stdout for local exporter")
            made.append(entry)
        if streams > 1:
            raise BakeError("multiple outputs configured to write to stdout")
        return made

    def _amounts(self, contents: Contents) -> None:
        size = str(contents.get("shm-size") or "")
        if size and not _is_size(size):
            raise BakeError(f"invalid value {size} for membytes key shm-size")
        for ulimit in texts_of(contents, "ulimits"):
            _as_bake(partial(parse_ulimit, ulimit))
        for name in ("memory", "memory-swap"):
            amount = pairs_of(contents, "resources").get(name, "")
            if amount and not (name == "memory-swap" and amount == "-1") and not _is_size(amount):
                raise BakeError(
                    f"invalid value \"{amount}\" for resource {name}: invalid size: '{amount}'"
                )


def _is_size(text: str) -> bool:
    try:
        return parse_byte_size(text) >= 0
    except BadQuantity:
        return False


def _as_bake(parse: Callable[[], object]) -> None:
    try:
        parse()
    except ImgError as error:
        raise BakeError(error.message, hint=error.hint) from None
