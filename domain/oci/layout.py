"""An OCI image layout: `oci-layout`, `index.json`, `blobs/` (image-spec image-layout.md)."""

from collections.abc import Sequence
from dataclasses import replace

from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.fields import Fields
from img.domain.oci.index import Index, NoPlatformMatch
from img.domain.platform import Platform

LAYOUT_FILE = "oci-layout"
LAYOUT_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
INDEX_FILE = "index.json"

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"  # the full name, if ref.name is only the tag


def check_layout(content: bytes) -> None:
    """Raise InvalidDocument unless ``content`` is an ``oci-layout`` file of a known version."""
    fields = Fields.parse(content, LAYOUT_FILE)
    version = fields.required_text("imageLayoutVersion")
    if version.partition(".")[0] != "1":
        fields.refuse("imageLayoutVersion", f"{version} is not supported")


def blob_path(digest: Digest) -> str:
    """Return the path of a blob in a layout (image-layout.md, "Blobs")."""
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def best_of(entries: Sequence[Descriptor], wanted: Platform) -> Descriptor:
    """Return the entry that suits ``wanted`` best among those of one name, else the first."""
    try:
        return Index(manifests=tuple(entries)).best_for(wanted)
    except NoPlatformMatch:
        return entries[0]


def name_of(entry: Descriptor) -> str:
    """Return the name of an entry of ``index.json``, "" if it has none."""
    return entry.annotations.get(CONTAINERD_NAME) or entry.annotations.get(REF_NAME, "")


def is_named(entry: Descriptor, name: str) -> bool:
    """Tell whether an entry has that name, or a full one with that tag."""
    return bool(name) and name in (name_of(entry), name_of(entry).rpartition(":")[2])


def with_name(index: Index, name: str, entry: Descriptor) -> Index:
    """Return ``index`` with ``entry`` under ``name``; it replaces the old entry of that name."""
    named = replace(entry, annotations={**entry.annotations, REF_NAME: name})
    return replace(index, manifests=(*without_name(index, name).manifests, named))


def with_unnamed(index: Index, entries: Sequence[Descriptor]) -> Index:
    """Return ``index`` with those of ``entries`` that it does not list yet."""
    known = {each.digest for each in index.manifests}
    new = tuple(entry for entry in entries if entry.digest not in known)
    return replace(index, manifests=(*index.manifests, *new))


def without_name(index: Index, name: str) -> Index:
    """Return ``index`` without the entry of that name; unnamed entries are kept."""
    return replace(index, manifests=tuple(m for m in index.manifests if name_of(m) != name))


def find_images(index: Index, tag: str, digest: Digest | None) -> tuple[Descriptor, ...]:
    """Return the entries with that digest, else with that name ("" is latest), else the only one.

    BuildKit finds images of ``oci-layout://`` contexts in this way; a full name also matches by its
    tag. Several entries of one name are platforms of one image.
    """
    if digest is not None:
        return tuple(entry for entry in index.manifests if entry.digest == digest)[:1]
    wanted = tag or "latest"
    names = [name_of(entry) for entry in index.manifests]
    found = [
        *(name for name in names if name == wanted),
        *(name_of(entry) for entry in index.manifests if is_named(entry, wanted)),
    ]
    if found:
        return tuple(entry for entry in index.manifests if name_of(entry) == found[0])
    return index.manifests if len(index.manifests) == 1 else ()
