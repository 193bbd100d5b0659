"""A bill of materials: the packages of one image, and facts of the image itself."""

import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.packages.package import Distribution, Package
from img.domain.packages.purl import format_purl
from img.domain.platform import Platform
from img.domain.reference import ImageReference

_WEB_ADDRESS = r"https?://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::\d+)?(?:/[\w./?#&=%~+@:!,;-]*)?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The packages of one image, and what its documents say besides."""

    name: str
    reference: ImageReference | None
    digest: Digest  # of the manifest
    platform: Platform
    layers: Sequence[Digest]  # as stored, lowest first
    distribution: Distribution
    packages: Sequence[Package]  # in their order
    created: datetime
    tool_version: str

    @property
    def purl(self) -> str:
        """The purl of the image (purl-spec, type "oci")."""
        reference = self.reference
        name = reference.repository.rpartition("/")[2] if reference else self.name
        qualifiers = {"arch": self.platform.architecture}
        if reference is not None:
            qualifiers["repository_url"] = reference.repository
            qualifiers["tag"] = reference.tag or ""
        return format_purl("oci", "", name.lower(), str(self.digest), qualifiers)

    @property
    def timestamp(self) -> str:
        """The time of creation: RFC 3339, in seconds, UTC."""
        return self.created.strftime("%Y-%m-%dT%H:%M:%SZ")

    def document_id(self, form: str) -> UUID:
        """Return the ID of the document of a format; equal documents have equal IDs."""
        parts = (form, self.name, str(self.digest), self.timestamp, self.tool_version)
        return UUID(bytes=sha256("\0".join(parts).encode()).digest()[:16], version=5)

    def layer_of(self, package: Package) -> str:
        """Return the digest of the layer with the record of a package."""
        return str(self.layers[package.layer])


def homepage_of(package: Package) -> str:
    """Return the homepage if it is a URL, "" otherwise: it is text from the image."""
    return package.homepage if re.fullmatch(_WEB_ADDRESS, package.homepage) else ""


def package_id(package: Package) -> str:
    """Return an ID that differs between the packages of an image; it is the same in each run."""
    return sha256("\0".join(package.sort_key).encode("utf-8", "replace")).hexdigest()[:16]
