"""Packages of Java archives: Maven's properties, else the manifest and the name of the file."""

import re
from collections.abc import Iterator, Mapping

from img.domain.packages.control_text import Fields, paragraphs
from img.domain.packages.package import Package

ARCHIVE_SUFFIXES = (".jar", ".war", ".ear", ".hpi", ".jpi")
MANIFEST = "META-INF/MANIFEST.MF"
_LONGEST_NAME = 255  # characters; names in archives may have 65,535
_NAMED = r"(?P<name>[A-Za-z][\w.+-]*?)-(?P<version>\d[\w.+-]*)"


def is_record(name: str) -> bool:
    """Return whether a member of an archive says which packages it holds."""
    return name == MANIFEST or (
        name.startswith("META-INF/maven/") and name.endswith("/pom.properties")
    )


def is_archive(name: str) -> bool:
    """Return whether a file has the name of a Java archive."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def java_packages(records: Mapping[str, bytes], path: str) -> Iterator[Package]:
    """Yield the packages of an archive at ``path`` from its records by name."""
    properties = [name for name in records if name != MANIFEST]
    found = [
        _maven(group, artifact, version, path)
        for name in properties
        for group, artifact, version in [_coordinates(records[name])]
        if artifact and version
    ]
    yield from found
    if not found and (package := _of_manifest(records.get(MANIFEST, b""), path)):
        yield package


def _coordinates(text: bytes) -> tuple[str, str, str]:
    lines = (line.partition("=") for line in text.decode("utf-8", "replace").splitlines())
    pairs = {name.strip(): value.strip() for name, _, value in lines}
    return pairs.get("groupId", ""), pairs.get("artifactId", ""), pairs.get("version", "")


def _of_manifest(text: bytes, path: str) -> Package | None:
    # A long line goes on in the next one, after a blank (JAR File Specification).
    whole = re.sub(rb"\r?\n ", b"", text).decode("utf-8", "replace")
    fields: Fields = next(paragraphs(whole), {})
    stem = re.split("[/!]", path)[-1].rpartition(".")[0]
    named = re.fullmatch(_NAMED, stem) if len(stem) <= _LONGEST_NAME else None
    name = named["name"] if named else stem
    version = (
        fields.get("implementation-version")
        or fields.get("bundle-version")
        or fields.get("specification-version")
        or (named["version"] if named else "")
    )
    if not version:
        return None
    group = fields.get("implementation-vendor-id", "")
    return _maven(group if re.fullmatch(r"[\w.-]+", group) else "", name, version, path)


def _maven(group: str, artifact: str, version: str, path: str) -> Package:
    name = f"{group}:{artifact}" if group else artifact
    return Package(kind="maven", name=name, version=version, location=path)
