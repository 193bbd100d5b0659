"""Package URLs (purl-spec, PURL-SPECIFICATION.rst and PURL-TYPES.rst)."""

import re
import string
from collections.abc import Mapping

from img.domain.packages.package import SYSTEM_KINDS, Distribution, Package

# PURL-SPECIFICATION.rst, "Character encoding"
_UNENCODED = frozenset(string.ascii_letters.encode() + string.digits.encode() + b".-_~:")
_RPM_NAMESPACES = {"rhel": "redhat", "opensuse-leap": "opensuse", "opensuse-tumbleweed": "opensuse"}


def purl_of(package: Package, distribution: Distribution) -> str:
    """Return the purl of a package; qualifiers are sorted."""
    kind, version = package.kind, package.version
    qualifiers: dict[str, str] = {}
    if kind in SYSTEM_KINDS:
        namespace = _system_namespace(kind, distribution)
        name = package.name
        qualifiers = _system_qualifiers(package, distribution)
    elif kind == "pypi":
        namespace, name = "", re.sub(r"[-_.]+", "-", package.name).lower()
    elif kind == "maven":
        namespace, _, name = package.name.rpartition(":")
    else:
        namespace, _, name = package.name.rpartition("/")
        if kind == "composer":
            namespace, name = namespace.lower(), name.lower()
    return format_purl(kind, namespace, name, version, qualifiers)


def format_purl(
    kind: str, namespace: str, name: str, version: str, qualifiers: Mapping[str, str]
) -> str:
    """Return a purl of the parts, which are encoded here; empty ones are left out."""
    parts = [_encoded(part) for part in namespace.split("/") if part]
    text = f"pkg:{kind}/{'/'.join([*parts, _encoded(name)])}"
    if version:
        text += f"@{_encoded(version)}"
    pairs = [f"{key}={_encoded(value)}" for key, value in sorted(qualifiers.items()) if value]
    return f"{text}?{'&'.join(pairs)}" if pairs else text


def _encoded(text: str) -> str:
    return "".join(
        chr(byte) if byte in _UNENCODED else f"%{byte:02X}"
        for byte in text.encode("utf-8", "replace")
    )


def _system_namespace(kind: str, distribution: Distribution) -> str:
    known = distribution.id
    if kind == "rpm":
        return _RPM_NAMESPACES.get(known, known)
    return known or {"deb": "debian", "apk": "alpine"}[kind]


def _system_qualifiers(package: Package, distribution: Distribution) -> dict[str, str]:
    source = package.source
    if package.kind == "apk" and source == package.name:
        source = ""
    if source and package.source_version:
        source = f"{source}@{package.source_version}"
    return {
        "arch": package.architecture,
        "distro": distribution.qualifier,
        "epoch": package.epoch,
        "upstream": source,
    }
