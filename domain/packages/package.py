"""One package of an image, and the distribution that its system packages are of."""

from collections.abc import Iterator
from typing import Literal

from img.domain.dataclass import dataclass

PackageKind = Literal[
    "deb", "apk", "rpm", "pypi", "npm", "golang", "cargo", "gem", "composer", "maven"
]
"""The types of packages, with the names that the purl specification has for them."""

SYSTEM_KINDS = ("deb", "apk", "rpm")  # a distribution's: its name is part of their purls


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package, as its record in the image has it; fields that the record lacks are ""."""

    kind: PackageKind
    name: str  # for npm with the scope, for maven "group:artifact", for composer "vendor/name"
    version: str
    location: str  # the path of the record
    architecture: str = ""
    epoch: str = ""  # of rpm
    source: str = ""  # the package that it was built from
    source_version: str = ""  # if it differs
    license: str = ""
    supplier: str = ""
    homepage: str = ""
    checksums: tuple[tuple[str, str], ...] = ()  # algorithm as SPDX writes it, hex
    layer: int = 0  # the layer with the record; the lowest is 0

    @property
    def sort_key(self) -> tuple[str, str, str, str, str]:
        """The order of packages in documents."""
        return self.kind, self.name, self.version, self.architecture, self.location


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Fields of os-release(5); each may be ""."""

    id: str = ""
    id_like: str = ""
    version_id: str = ""
    name: str = ""

    @property
    def qualifier(self) -> str:
        """The value of the purl qualifier ``distro``: "debian-12"."""
        return "-".join(part for part in (self.id, self.version_id) if part)


def distribution_of(text: str) -> Distribution:
    """Return the distribution of an os-release file."""
    fields = dict(_assignments(text))
    return Distribution(
        id=fields.get("ID", ""),
        id_like=fields.get("ID_LIKE", ""),
        version_id=fields.get("VERSION_ID", ""),
        name=fields.get("PRETTY_NAME", "") or fields.get("NAME", ""),
    )


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, found, value = line.strip().partition("=")
        if found and not name.startswith("#"):
            if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
                value = value[1:-1]
            yield name, value
