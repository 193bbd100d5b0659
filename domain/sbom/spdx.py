"""SPDX 2.3 documents (spdx-spec v2.3), with what trivy, grype and docker scout read from them."""

import re
from collections.abc import Iterator, Mapping

from img.domain.packages.package import Package
from img.domain.packages.purl import purl_of
from img.domain.sbom.bill import Bill, homepage_of, package_id
from img.domain.sbom.licenses import is_expression, license_reference

_NONE = "NOASSERTION"
_DOCUMENT = "SPDXRef-DOCUMENT"
_ROOT = "SPDXRef-DocumentRoot-Image"
_DATABASES = {"deb": "dpkg", "apk": "apk", "rpm": "rpm"}

Document = dict[str, object]


def spdx_document(bill: Bill) -> Document:
    """Return the document: a package for the image, one for its distribution, and its packages."""
    listed = [(_package_ref(package), package) for package in bill.packages]
    system = _system(bill)
    packages = [_root(bill), *system, *(_package(ref, each, bill) for ref, each in listed)]
    contained = [*(str(each["SPDXID"]) for each in system), *(ref for ref, _ in listed)]
    document: Document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": bill.name,
        "documentNamespace": _namespace(bill),
        "creationInfo": {
            "creators": [f"Tool: img-{bill.tool_version}"],
            "created": bill.timestamp,
        },
        "packages": packages,
    }
    if texts := _license_texts(bill):
        document["hasExtractedLicensingInfos"] = [
            {"licenseId": name, "name": text, "extractedText": text} for name, text in texts.items()
        ]
    document["relationships"] = [
        _relation(_DOCUMENT, "DESCRIBES", _ROOT),
        *(_relation(_ROOT, "CONTAINS", ref) for ref in contained),
    ]
    return document


def _namespace(bill: Bill) -> str:
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", bill.name).strip("-")
    return f"https://spdx.org/spdxdocs/{slug}-{bill.document_id('spdx')}"


def _root(bill: Bill) -> Document:
    return {
        "name": bill.name,
        "SPDXID": _ROOT,
        "versionInfo": str(bill.digest),
        "downloadLocation": _NONE,
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": bill.digest.encoded}],
        "licenseConcluded": _NONE,
        "licenseDeclared": _NONE,
        "copyrightText": _NONE,
        "externalRefs": [_purl_reference(bill.purl)],
        "primaryPackagePurpose": "CONTAINER",
    }


def _system(bill: Bill) -> list[Document]:
    """Return the package of the distribution: trivy skips system packages without it."""
    distribution = bill.distribution
    if not distribution.id:
        return []
    return [
        {
            "name": distribution.id,
            "SPDXID": f"SPDXRef-OperatingSystem-{_slug(distribution.qualifier)}",
            "versionInfo": distribution.version_id or _NONE,
            "downloadLocation": _NONE,
            "filesAnalyzed": False,
            "licenseConcluded": _NONE,
            "licenseDeclared": _NONE,
            "copyrightText": _NONE,
            "primaryPackagePurpose": "OPERATING-SYSTEM",
        }
    ]


def _package(ref: str, package: Package, bill: Bill) -> Document:
    made: Document = {
        "name": package.name,
        "SPDXID": ref,
        "versionInfo": package.version or _NONE,
        "supplier": _supplier(package),
        "downloadLocation": _NONE,
        "filesAnalyzed": False,
        "sourceInfo": _source_info(package),
        "licenseConcluded": _NONE,
        "licenseDeclared": _declared(package),
        "copyrightText": _NONE,
        "comment": f"layerID: {bill.layer_of(package)}",
        "externalRefs": [_purl_reference(purl_of(package, bill.distribution))],
    }
    if homepage := homepage_of(package):
        made["homepage"] = homepage
    if package.checksums:
        made["checksums"] = [
            {"algorithm": algorithm, "checksumValue": value}
            for algorithm, value in package.checksums
        ]
    return made


def _package_ref(package: Package) -> str:
    return f"SPDXRef-Package-{package.kind}-{_slug(package.name)}-{package_id(package)}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")


def _supplier(package: Package) -> str:
    """Return the supplier: rpm names a vendor, the others a person."""
    name = " ".join(package.supplier.split())
    if not name:
        return _NONE
    return f"Organization: {name}" if package.kind == "rpm" else f"Person: {name}"


def _source_info(package: Package) -> str:
    place = f"/{package.location}"
    if package.kind in _DATABASES:
        text = f"acquired package info from {_DATABASES[package.kind]} database: {place}"
    else:
        text = f"acquired package info from: {place}"
    if package.source and package.kind == "deb":
        # trivy reads the source package from these words.
        version = package.source_version or package.version
        text = f"built package from: {package.source} {version}; {text}"
    return text


def _declared(package: Package) -> str:
    text = _license_text(package)
    if not text:
        return _NONE
    return text if is_expression(text) else license_reference(text)


def _license_text(package: Package) -> str:
    return " ".join(package.license.split())


def _license_texts(bill: Bill) -> Mapping[str, str]:
    return dict(sorted(_references(bill)))


def _references(bill: Bill) -> Iterator[tuple[str, str]]:
    for package in bill.packages:
        text = _license_text(package)
        if text and not is_expression(text):
            yield license_reference(text), text


def _purl_reference(purl: str) -> Document:
    return {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": purl,
    }


def _relation(one: str, kind: str, other: str) -> Document:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
