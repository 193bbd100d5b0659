"""The database of dpkg: ``var/lib/dpkg/status``, and ``status.d`` of images without dpkg."""

import re
from collections.abc import Iterator

from img.domain.packages.control_text import Fields, paragraphs
from img.domain.packages.package import Package

_WITHOUT_FILES = (["config-files"], ["not-installed"])
_SOURCE = r"(\S+)(?:\s+\((.*)\))?"


def dpkg_packages(text: str, path: str) -> Iterator[Package]:
    """Yield the packages of a database at ``path`` that have files, also if not configured yet.

    Paragraphs of ``status.d`` have no Status: all of them are installed.
    """
    for fields in paragraphs(text):
        state = fields.get("status", "install ok installed").split()[-1:]
        if state not in _WITHOUT_FILES and fields.get("package") and fields.get("version"):
            yield _package(fields, path)


def _package(fields: Fields, path: str) -> Package:
    source = re.fullmatch(_SOURCE, fields.get("source", ""))
    return Package(
        kind="deb",
        name=fields["package"],
        version=fields["version"],
        location=path,
        architecture=fields.get("architecture", ""),
        source=source[1] if source else "",
        source_version=(source[2] or "") if source else "",
        supplier=fields.get("maintainer", "").partition("\n")[0],
        homepage=fields.get("homepage", ""),
    )
