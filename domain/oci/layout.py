"""An OCI image layout: `oci-layout`, `index.json`, `blobs/` (image-spec image-layout.md)."""

from collections.abc import Mapping
from dataclasses import replace

from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.fields import Fields
from img.domain.oci.index import Index

LAYOUT_FILE = "oci-layout"
LAYOUT_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
INDEX_FILE = "index.json"

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"  # the full name, where ref.name is but the tag


def check_layout(content: bytes) -> None:
    """Raise InvalidDocument unless ``content`` is an ``oci-layout`` file of a version we know."""
    fields = Fields.parse(content, LAYOUT_FILE)
    version = fields.required_text("imageLayoutVersion")
    if version.partition(".")[0] != "1":
        fields.refuse("imageLayoutVersion", f"{version} is not supported")


def blob_path(digest: Digest) -> str:
    """Return where the blob is in a layout (image-layout.md, "Blobs")."""
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def names_in(index: Index) -> Mapping[str, Descriptor]:
    """Return the entries of ``index`` that have a name, by name; of two, the last counts."""
    return {name: entry for entry in index.manifests if (name := name_of(entry))}


def name_of(entry: Descriptor) -> str:
    """Return the name of an entry of ``index.json``, "" where it has none."""
    return entry.annotations.get(CONTAINERD_NAME) or entry.annotations.get(REF_NAME, "")


def with_name(index: Index, name: str, entry: Descriptor) -> Index:
    """Return ``index`` with ``entry`` under ``name``, in place of what had the name before."""
    named = replace(entry, annotations={**entry.annotations, REF_NAME: name})
    return replace(index, manifests=(*without_name(index, name).manifests, named))


def without_name(index: Index, name: str) -> Index:
    """Return ``index`` without the entry of that name; unnamed entries of others stay."""
    return replace(index, manifests=tuple(m for m in index.manifests if name_of(m) != name))


def find_image(index: Index, tag: str, digest: Digest | None) -> Descriptor | None:
    """Return the entry of that digest, else of that name ("" is latest), else the only one.

    So BuildKit finds images for ``oci-layout://`` contexts; a full name may stand for its tag.
    """
    if digest is not None:
        return next((entry for entry in index.manifests if entry.digest == digest), None)
    names = names_in(index)
    wanted = tag or "latest"
    named = [entry for name, entry in names.items() if name == wanted]
    named += [entry for name, entry in names.items() if name.rpartition(":")[2] == wanted]
    if named:
        return named[0]
    return index.manifests[0] if len(index.manifests) == 1 else None
