"""The files of an image that say which packages it has."""

import re
from typing import Literal

from img.domain.filesystem.entry import FILE, Entry

RecordKind = Literal[
    "dpkg", "apk", "rpm-sqlite", "rpm-log", "rpm-ndb", "rpm-bdb", "os-release",
    "python", "npm", "gem", "composer", "java", "program",
]  # fmt: skip

_MOST_TEXT = 32 << 20  # bytes of a record that is read into memory; dpkg's has 1 KB a package
_MOST_BINARY = 256 << 20  # bytes of the same
_BINARY = frozenset(("rpm-sqlite", "rpm-log", "rpm-ndb", "rpm-bdb", "java"))
_LEAST_PROGRAM = 4096  # bytes

_FIXED: dict[str, RecordKind] = {
    "etc/os-release": "os-release",
    "usr/lib/os-release": "os-release",
    "var/lib/dpkg/status": "dpkg",
    "usr/lib/opkg/status": "dpkg",
    "lib/apk/db/installed": "apk",
    "usr/lib/apk/db/installed": "apk",
}
_RPM = ("var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/")
_RPM_NAMES: dict[str, RecordKind] = {
    "rpmdb.sqlite": "rpm-sqlite",
    "rpmdb.sqlite-wal": "rpm-log",
    "Packages.db": "rpm-ndb",
    "Packages": "rpm-bdb",
}
# Most of 10^5 paths end otherwise: this takes a tenth of the time of a search.
_ENDS = (".json", "/METADATA", ".egg-info", "/PKG-INFO", ".gemspec", "ar", "pi")
_SHAPES = re.compile(
    r"(?P<python>\.(?:dist-info/METADATA|egg-info(?:/PKG-INFO)?)$)"
    r"|(?P<npm>(?:^|/)package\.json$)"
    r"|(?P<gem>(?:^|/)specifications/(?:[^/]+/)?[^/]+\.gemspec$)"
    r"|(?P<composer>(?:^|/)vendor/composer/installed\.json$)"
    r"|(?P<java>\.(?:[jwe]ar|[hj]pi)$)"
)
_VENDORED = "/_vendor/"  # in pip and setuptools: parts of these packages, not installed ones
# The parts of a package that npm installed carry package.json files of their own (tests, builds).
_OF_NPM = re.compile(r"(?:^|/)node_modules/(?:@[^/]+/)?[^/@][^/]*/package\.json$")


def most_bytes(kind: RecordKind) -> int:
    """Return the size of the largest record that is read."""
    return _MOST_BINARY if kind in _BINARY else _MOST_TEXT


def record_kind(entry: Entry) -> RecordKind | None:
    """Return the kind of record in a file of an image, None for other files.

    Any executable file may be a program of Go or Rust; its content decides.
    """
    path = entry.path
    if entry.kind != FILE or not entry.size:
        return None
    if (kind := _FIXED.get(path)) is not None:
        return kind
    if path.startswith("var/lib/dpkg/status.d/"):
        return None if path.endswith(".md5sums") else "dpkg"
    if path.startswith(_RPM):
        directory = next(each for each in _RPM if path.startswith(each))
        return _RPM_NAMES.get(path[len(directory) :])
    if path.endswith(_ENDS) and (found := _SHAPES.search(path)) is not None:
        return _language(found.lastgroup, path)
    if entry.mode & 0o111 and entry.size > _LEAST_PROGRAM:
        return "program"
    return None


def _language(kind: str | None, path: str) -> RecordKind | None:
    match kind:
        case "python" if _VENDORED in path:
            return None
        case "python" | "gem" | "composer" | "java":
            return kind
        case "npm" if "node_modules/" not in path or _OF_NPM.search(path):
            return "npm"
    return None
