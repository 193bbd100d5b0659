"""registries.conf of podman, buildah and skopeo (containers-registries.conf(5)); buildkitd.toml."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from img.adapters.registry.containerd_hosts import read_hosts_directory
from img.adapters.registry.toml_file import read_toml
from img.domain.registries import (
    Endpoint,
    PullFrom,
    RegistriesUnreadable,
    RegistryRule,
    RegistryRules,
    rules_in_effect,
)

_SYSTEM = Path("/etc/containers")


def read_registry_rules(environment: Mapping[str, str], system: Path = _SYSTEM) -> RegistryRules:
    """Return the configuration of this user. Raises RegistriesUnreadable.

    $IMG_REGISTRIES_CONF replaces all other files; aliases are only read from this file, because a
    Dockerfile should mean the same image on every machine, unless the user configures img itself.
    """
    if own := environment.get("IMG_REGISTRIES_CONF"):
        path = Path(own)
        return read_hosts_directory(path) if os.path.isdir(path) else read_rules(path)
    files = [read_rules(path) for path in _files(environment, system)]
    return replace(rules_in_effect(files), aliases={})


def read_rules(path: Path) -> RegistryRules:
    """Return the rules of one file: registries.conf or buildkitd.toml. Raises RegistriesUnreadable.

    Keys that are not about the location of images are ignored.
    """
    document = read_toml(path)
    registries = document.get("registry", [])
    reader = _Reader(path)
    if isinstance(registries, dict):
        return RegistryRules(
            rules=tuple(reader.buildkit(name, table) for name, table in registries.items())
        )
    rules = [reader.registry(table) for table in reader.tables(registries, "registry")]
    if "registries" in document:
        rules += reader.version_1(document["registries"])
    return RegistryRules(
        rules=tuple(rules), aliases=reader.texts(document.get("aliases", {}), "aliases")
    )


def _files(environment: Mapping[str, str], system: Path) -> Iterator[Path]:
    """Yield the files in use, by rising priority (containers-registries.conf(5), "FILES")."""
    user = Path(environment.get("HOME", "/"), ".config", "containers")  # independent of XDG
    is_users = False
    if named := environment.get("CONTAINERS_REGISTRIES_CONF"):
        yield Path(named)
    elif os.path.exists(user / "registries.conf"):
        is_users = True  # it replaces the system's file and its drop-ins
        yield user / "registries.conf"
    elif os.path.exists(system / "registries.conf"):
        yield system / "registries.conf"
    for folder in [user] if is_users else [system, user]:
        try:
            names = os.listdir(folder / "registries.conf.d")
        except OSError:
            continue
        yield from (folder / "registries.conf.d" / n for n in sorted(names) if n.endswith(".conf"))


class _Reader:
    """A reader of the tables of one file; errors name the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def registry(self, table: Mapping[str, object]) -> RegistryRule:
        """Return the rule of a [[registry]] table."""
        location = self._location(table, "location")
        prefix = self._location(table, "prefix") or location
        if not prefix:
            raise self.invalid("a [[registry]] without prefix and location")
        if not location and not prefix.startswith("*."):
            location = prefix
        digests_only = self._flag(table, "mirror-by-digest-only")
        mirrors = self.tables(table.get("mirror", []), "mirror")
        return RegistryRule(
            prefix=prefix,
            location=location,
            insecure=self._flag(table, "insecure"),
            blocked=self._flag(table, "blocked"),
            mirrors=tuple(self._mirror(mirror, digests_only) for mirror in mirrors),
        )

    def version_1(self, tables: object) -> list[RegistryRule]:
        """Return the rules of the old format: lists of insecure and of blocked registries."""

        def listed(kind: str) -> list[str]:
            group = tables.get(kind) if isinstance(tables, dict) else None
            names = group.get("registries", []) if isinstance(group, dict) else []
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise self.invalid(f"registries.{kind} is no list of names")
            return names

        insecure, blocked = listed("insecure"), listed("block")
        return [
            RegistryRule(
                prefix=name, location=name, insecure=name in insecure, blocked=name in blocked
            )
            for name in dict.fromkeys((*insecure, *blocked))
        ]

    def buildkit(self, name: str, table: object) -> RegistryRule:
        """Return the rule of [registry."NAME"] in a buildkitd.toml."""
        if not isinstance(table, dict):
            raise self.invalid(f"registry.{name!r} is no table")
        for key in ("ca", "keypair", "tlsconfigdir"):
            if key in table:
                raise self.invalid(f"registry.{name!r}: put certificates into certs.d, not {key}")
        mirrors = table.get("mirrors", [])
        if not isinstance(mirrors, list):
            raise self.invalid(f"registry.{name!r}: mirrors is no list")
        places = [self._location({"location": mirror}, "location") for mirror in mirrors]
        return RegistryRule(
            prefix=name,
            location=name,
            insecure=self._flag(table, "http") or self._flag(table, "insecure"),
            mirrors=tuple(Endpoint(location=place) for place in places),
        )

    def tables(self, value: object, name: str) -> list[Mapping[str, object]]:
        """Return an array of tables."""
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return value
        raise self.invalid(f"{name} is no array of tables: write [[{name}]]")

    def texts(self, value: object, name: str) -> Mapping[str, str]:
        """Return a table of strings."""
        if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
            return value
        raise self.invalid(f"{name} is no table of names")

    def invalid(self, why: str) -> RegistriesUnreadable:
        """Return the error for this file."""
        return RegistriesUnreadable(self._path, why)

    def _mirror(self, table: Mapping[str, object], digests_only: bool) -> Endpoint:
        location = self._location(table, "location")
        if not location:
            raise self.invalid("a [[registry.mirror]] without location")
        pull_from = table.get("pull-from-mirror")
        if pull_from is not None and digests_only:
            raise self.invalid(
                f"mirror {location}: pull-from-mirror beside mirror-by-digest-only of its registry"
            )
        try:
            kind = PullFrom.DIGESTS if digests_only else PullFrom(pull_from or "all")
        except ValueError:
            kinds = ", ".join(kind.value for kind in PullFrom)
            text = f"mirror {location}: invalid pull-from-mirror {pull_from!r}, not one of {kinds}"
            raise self.invalid(text) from None
        return Endpoint(location=location, insecure=self._flag(table, "insecure"), pull_from=kind)

    def _location(self, table: Mapping[str, object], key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self.invalid(f"{key} is no text: {value!r}")
        if "://" in value:
            raise self.invalid(f"{key} {value!r} is a URL: write it without its scheme")
        return value.rstrip("/")

    def _flag(self, table: Mapping[str, object], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self.invalid(f"{key} is neither true nor false: {value!r}")
        return value
