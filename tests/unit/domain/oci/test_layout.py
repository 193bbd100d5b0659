"""The names in an OCI layout."""

from dataclasses import replace

import pytest

from img.domain.digest import Digest
from img.domain.oci import layout, media_types
from img.domain.oci.codec import InvalidDocument
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.platform import Platform

HERE = Platform("linux", "amd64")


def a_manifest(content: bytes, **annotations: str) -> Descriptor:
    named = {layout.REF_NAME: annotations["name"]} if "name" in annotations else {}
    return Descriptor(
        media_type=media_types.OCI_MANIFEST,
        digest=Digest.of(content),
        size=len(content),
        annotations=named,
    )


def test_a_name_replaces_the_entry_that_had_it_and_leaves_all_others() -> None:
    index = Index(
        manifests=(a_manifest(b"a", name="a"), a_manifest(b"?"), a_manifest(b"b", name="b"))
    )

    index = layout.with_name(index, "a", a_manifest(b"new"))

    assert index.manifests == (
        a_manifest(b"?"),
        a_manifest(b"b", name="b"),
        a_manifest(b"new", name="a"),
    )


@pytest.mark.parametrize(
    ("platforms", "taken"),
    [
        (("linux/amd64", "linux/arm64"), 0),
        (("linux/arm64", "linux/amd64"), 1),
        (("linux/386", "linux/amd64", "linux/amd64"), 1),
        (("linux/arm64", "linux/s390x"), 0),
        (("linux/arm64", None), 1),
    ],
)
def test_of_several_platforms_under_one_name_the_best_is_taken(
    platforms: tuple[str | None, ...], taken: int
) -> None:
    entries = [
        replace(
            a_manifest(str(i).encode(), name="app:1"),
            platform=None if text is None else Platform.parse(text, HERE),
        )
        for i, text in enumerate(platforms)
    ]

    assert layout.best_of(entries, HERE) == entries[taken]
    assert layout.find_images(Index(manifests=tuple(entries)), "1", None) == tuple(entries)


def test_a_name_can_be_taken_away() -> None:
    index = Index(manifests=(a_manifest(b"a", name="a"), a_manifest(b"?")))

    assert layout.without_name(index, "a").manifests == (a_manifest(b"?"),)


def test_containerds_full_name_counts_before_the_tag() -> None:
    entry = Descriptor(
        media_type=media_types.OCI_MANIFEST,
        digest=Digest.of(b""),
        size=0,
        annotations={layout.REF_NAME: "v1", layout.CONTAINERD_NAME: "docker.io/library/app:v1"},
    )

    assert layout.name_of(entry) == "docker.io/library/app:v1"


def test_our_own_layout_file_is_good_and_blobs_are_where_the_spec_says() -> None:
    layout.check_layout(layout.LAYOUT_CONTENT)

    assert layout.blob_path(Digest.of(b"")) == f"blobs/sha256/{Digest.of(b'').encoded}"


@pytest.mark.parametrize("content", [b"{}", b'{"imageLayoutVersion":"2.0.0"}', b""])
def test_a_layout_of_another_version_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidDocument):
        layout.check_layout(content)
