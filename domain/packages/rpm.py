"""Headers of rpm packages, as rpm's databases hold them (rpm, docs/manual/format_header.md).

Every number is checked against the header's length, because the image may be hostile.
"""

from collections.abc import Iterator, Mapping

from img.domain.packages.package import Package

_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_VENDOR, _LICENSE, _URL, _ARCH, _SOURCE = 1011, 1014, 1020, 1022, 1044
_WANTED = (_NAME, _VERSION, _RELEASE, _EPOCH, _VENDOR, _LICENSE, _URL, _ARCH, _SOURCE)
_INT32, _STRING, _STRING_ARRAY, _TRANSLATED = 4, 6, 8, 9
_ENTRY = 16  # bytes: tag, type, offset, count
_MOST_ENTRIES = 65_535
_KEY = "gpg-pubkey"  # a key in the database, not a package


class BadDatabase(ValueError):
    """A package database, or a record of it, that is not what its format says."""


def rpm_packages(headers: Iterator[bytes], path: str) -> Iterator[Package]:
    """Yield the packages of the headers of a database at ``path``. Raises BadDatabase."""
    for header in headers:
        fields = _fields(header)
        name, version = fields.get(_NAME), fields.get(_VERSION)
        if name and version and name != _KEY:
            yield _package(fields, name, version, path)


def _package(fields: Mapping[int, str], name: str, version: str, path: str) -> Package:
    release = fields.get(_RELEASE, "")
    return Package(
        kind="rpm",
        name=name,
        version=f"{version}-{release}" if release else version,
        location=path,
        architecture=fields.get(_ARCH, "").replace("(none)", ""),
        epoch=fields.get(_EPOCH, ""),
        source=fields.get(_SOURCE, "").replace("(none)", ""),
        license=fields.get(_LICENSE, ""),
        supplier=fields.get(_VENDOR, "").replace("(none)", ""),
        homepage=fields.get(_URL, "").replace("(none)", ""),
    )


def _fields(header: bytes) -> Mapping[int, str]:
    count, length = (int.from_bytes(header[at : at + 4], "big") for at in (0, 4))
    start = 8 + count * _ENTRY
    if count > _MOST_ENTRIES or len(header) < start + length:
        raise BadDatabase("a header of an rpm package is cut short")
    data = header[start : start + length]
    found: dict[int, str] = {}
    for at in range(8, start, _ENTRY):
        tag, kind, offset, _ = (
            int.from_bytes(header[at + part : at + part + 4], "big") for part in (0, 4, 8, 12)
        )
        if tag in _WANTED and tag not in found:
            found[tag] = _value(data, kind, offset)
    return found


def _value(data: bytes, kind: int, offset: int) -> str:
    if offset >= len(data):
        raise BadDatabase("a header of an rpm package names a place outside of it")
    if kind == _INT32:
        return str(int.from_bytes(data[offset : offset + 4], "big"))
    if kind in (_STRING, _STRING_ARRAY, _TRANSLATED):
        end = data.find(b"\0", offset)
        return data[offset : end if end >= 0 else len(data)].decode("utf-8", "replace")
    return ""
