"""The database of dpkg: ``var/lib/dpkg/status``, and ``status.d`` of images without dpkg."""

import re
from collections.abc import Iterator

from img.domain.packages.control_text import Fields, paragraphs
from img.domain.packages.package import Package

_SOURCE = r"(\S+)(?:\s+\((.*)\))?"


def dpkg_packages(text: str, path: str) -> Iterator[Package]:
    """Yield the installed packages of a database at ``path``.

    Paragraphs of ``status.d`` have no Status: all of them are installed.
    """
    for fields in paragraphs(text):
        installed = fields.get("status", "install ok installed").split()[-1:] == ["installed"]
        if installed and fields.get("package") and fields.get("version"):
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
