"""Packages of languages that keep a record for each package: Python, npm, Ruby, PHP."""

import re
from collections.abc import Iterator

from img.domain.json_text import parse_json
from img.domain.packages.control_text import paragraphs
from img.domain.packages.package import Package

_STUB = r"(?m)^# stub: (\S+) (\S+) "
# Within a line: a blank that also matches line ends would search a file of them for hours.
_GEM_FIELD = r"(?m)^[ \t]*\w+\.{}[ \t]*=[ \t]*(?:Gem::Version\.new\(?[ \t]*)?[\"']([^\"'\n]+)[\"']"
_GEM_LICENSES = r"(?m)^[ \t]*\w+\.licenses[ \t]*=[ \t]*\[([^\]\n]*)\]"


def python_package(text: str, path: str) -> Iterator[Package]:
    """Yield the package of METADATA or PKG-INFO (Core metadata specifications)."""
    fields = next(paragraphs(text), {})
    if not fields.get("name") or not fields.get("version"):
        return
    license_ = fields.get("license-expression") or fields.get("license", "").partition("\n")[0]
    yield Package(
        kind="pypi",
        name=fields["name"],
        version=fields["version"],
        location=path,
        license="" if license_ == "UNKNOWN" else license_,
        supplier=fields.get("author") or fields.get("author-email", ""),
        homepage=fields.get("home-page", "").replace("UNKNOWN", ""),
    )


def npm_package(text: bytes, path: str) -> Iterator[Package]:
    """Yield the package of a package.json; one without name or version is no package.

    Raises InvalidJson.
    """
    value = parse_json(text)
    if not isinstance(value, dict):
        return
    name, version = _text(value.get("name")), _text(value.get("version"))
    if name and version:
        yield Package(
            kind="npm",
            name=name,
            version=version,
            location=path,
            license=_npm_license(value),
            supplier=_npm_person(value.get("author")),
            homepage=_text(value.get("homepage")),
        )


def gem_package(text: str, path: str) -> Iterator[Package]:
    """Yield the package of an installed gemspec, which is Ruby text with a line of its own."""
    stub = re.search(_STUB, text)
    found = {
        field: match[1]
        for field in ("name", "version", "homepage", "license")
        if (match := re.search(_GEM_FIELD.format(field), text))
    }
    name = stub[1] if stub else found.get("name", "")
    version = stub[2] if stub else found.get("version", "")
    licenses = re.search(_GEM_LICENSES, text)
    several = re.findall(r"[\"']([^\"']+)[\"']", licenses[1]) if licenses else []
    if name and version:
        yield Package(
            kind="gem",
            name=name,
            version=version,
            location=path,
            license=found.get("license") or " AND ".join(several),
            homepage=found.get("homepage", ""),
        )


def composer_packages(text: bytes, path: str) -> Iterator[Package]:
    """Yield the packages of ``vendor/composer/installed.json`` (Composer 1: a list).

    Raises InvalidJson.
    """
    value = parse_json(text)
    if isinstance(value, dict):
        value = value.get("packages")
    for each in value if isinstance(value, list) else ():
        if not isinstance(each, dict):
            continue
        name, version = _text(each.get("name")), _text(each.get("version"))
        licenses = each.get("license")
        if name and version:
            yield Package(
                kind="composer",
                name=name,
                version=version,
                location=path,
                license=" OR ".join(map(_text, licenses)) if isinstance(licenses, list) else "",
                homepage=_text(each.get("homepage")),
            )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _npm_license(value: dict[str, object]) -> str:
    """Return the license; old packages have an object, or a list of objects."""
    license_ = value.get("license") or value.get("licenses")
    listed = license_ if isinstance(license_, list) else [license_]
    names = [_text(each.get("type") if isinstance(each, dict) else each) for each in listed]
    return " OR ".join(filter(None, names))


def _npm_person(value: object) -> str:
    if isinstance(value, dict):
        name, mail = _text(value.get("name")), _text(value.get("email"))
        return f"{name} <{mail}>" if name and mail else name
    return _text(value)
