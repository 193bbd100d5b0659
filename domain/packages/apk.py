"""The database of apk-tools: ``lib/apk/db/installed`` (apk-tools, "apk-package(5)")."""

from collections.abc import Iterator, Mapping

from img.domain.packages.package import Package


def apk_packages(text: str, path: str) -> Iterator[Package]:
    """Yield the packages of a database at ``path``; the first P of a record starts its package."""
    for record in text.replace("\r\n", "\n").split("\n\n"):
        fields: dict[str, str] = {}
        for line in record.split("\n"):
            if line[:2] == "F:":  # the files follow
                break
            if line[1:2] == ":":
                fields.setdefault(line[0], line[2:].strip())
        if fields.get("P") and fields.get("V"):
            yield _package(fields, path)


def _package(fields: Mapping[str, str], path: str) -> Package:
    return Package(
        kind="apk",
        name=fields["P"],
        version=fields["V"],
        location=path,
        architecture=fields.get("A", ""),
        source=fields.get("o", ""),
        license=fields.get("L", ""),
        supplier=fields.get("m", ""),
        homepage=fields.get("U", ""),
    )
