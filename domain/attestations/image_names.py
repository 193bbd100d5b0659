"""Package URLs of images (BuildKit, util/purl/image.go)."""

import re

from img.domain.attestations.material import Material
from img.domain.context_location import LayoutPlace
from img.domain.digest import Digest
from img.domain.platform import Platform
from img.domain.reference import ImageReference


def purl_of_image(reference: ImageReference, platform: Platform | None) -> str:
    """Return ``pkg:docker/NAME@TAG?platform=…``; a digest is a qualifier."""
    parts = reference.familiar_name.split("/")
    name = "/".join(_escaped(part) for part in parts)
    version = f"@{_escaped(reference.tag)}" if reference.tag else ""
    return f"pkg:docker/{name}{version}{_qualifiers(reference.digest, platform)}"


def image_material(text: str, target: Digest, platform: Platform) -> Material:
    """Return the material of the base image ``text``: a name, a digest, or a place in a layout."""
    if (layout := LayoutPlace.parse(text)) is not None:
        name = _escaped(layout.name)
        uri = f"pkg:oci/{name}{_qualifiers(target, platform)}"
    elif "/" not in text:  # the result of another target, or an image without a name
        uri = f"pkg:oci/image{_qualifiers(target, platform)}"
    else:
        uri = purl_of_image(ImageReference.parse(text), platform)
    return Material(rank=1, uri=uri, algorithm=target.algorithm, digest=target.encoded)


def _qualifiers(digest: Digest | None, platform: Platform | None) -> str:
    pairs = []
    if digest is not None:
        pairs.append(f"digest={digest}")
    if platform is not None:
        # Go's url.Values escape the slashes.
        pairs.append(f"platform={_escaped(str(platform.normalized()))}")
    return f"?{'&'.join(pairs)}" if pairs else ""


def _escaped(text: str) -> str:
    """Return ``text`` with all but letters, digits and -._~ as %XX."""
    raw = text.encode("utf-8", "replace")
    return re.sub(rb"[^A-Za-z0-9._~-]", lambda found: b"%%%02X" % found[0][0], raw).decode()
