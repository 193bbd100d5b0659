"""CycloneDX 1.6 documents (ecma-424, bom-1.6.schema.json)."""

from img.domain.packages.package import Package
from img.domain.packages.purl import purl_of
from img.domain.sbom.bill import Bill, homepage_of, package_id
from img.domain.sbom.licenses import is_expression

Document = dict[str, object]


def cyclonedx_document(bill: Bill) -> Document:
    """Return the document: the image as its subject, the distribution and the packages."""
    components = [*_system(bill), *(_component(package, bill) for package in bill.packages)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{bill.document_id('cyclonedx')}",
        "version": 1,
        "metadata": {
            "timestamp": bill.timestamp,
            "tools": {
                "components": [{"type": "application", "name": "img", "version": bill.tool_version}]
            },
            "component": {
                "bom-ref": bill.purl,
                "type": "container",
                "name": bill.name,
                "version": str(bill.digest),
                "purl": bill.purl,
            },
        },
        "components": components,
        "dependencies": [
            {"ref": bill.purl, "dependsOn": [component["bom-ref"] for component in components]}
        ],
    }


def _system(bill: Bill) -> list[Document]:
    distribution = bill.distribution
    if not distribution.id:
        return []
    made: Document = {
        "bom-ref": f"os:{distribution.qualifier}",
        "type": "operating-system",
        "name": distribution.id,
    }
    if distribution.version_id:
        made["version"] = distribution.version_id
    return [made]


def _component(package: Package, bill: Bill) -> Document:
    purl = purl_of(package, bill.distribution)
    made: Document = {
        "bom-ref": f"{purl}#{package_id(package)}",
        "type": "library",
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "properties": [
            {"name": "img:layer:digest", "value": bill.layer_of(package)},
            {"name": "img:location", "value": f"/{package.location}"},
        ],
    }
    if supplier := " ".join(package.supplier.split()):
        made["supplier"] = {"name": supplier}
    if text := " ".join(package.license.split()):
        made["licenses"] = [_license(text)]
    if package.checksums:
        made["hashes"] = [
            {"alg": algorithm.replace("SHA", "SHA-"), "content": value}
            for algorithm, value in package.checksums
        ]
    if homepage := homepage_of(package):
        made["externalReferences"] = [{"type": "website", "url": homepage}]
    return made


def _license(text: str) -> Document:
    if not is_expression(text):
        return {"license": {"name": text}}
    return {"expression": text} if " " in text else {"license": {"id": text}}
