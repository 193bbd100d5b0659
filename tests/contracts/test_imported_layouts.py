"""The contract of importers for OCI layouts that are odd, partial or broken."""

import gzip
import io
import json
from dataclasses import replace

import pytest

from img.adapters.blob_store.memory import MemoryBlobStore
from img.adapters.importer.archive import ArchiveImporter
from img.adapters.layer_archive.compression import decompressed
from img.adapters.layer_archive.tar import archive_members
from img.application.ports.exporter import ArchivedImage
from img.application.ports.importer import InvalidArchive
from img.domain.digest import Digest
from img.domain.oci import media_types
from img.domain.oci.chain import DiffID
from img.domain.oci.codec import decode_config, decode_manifest, encode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.index import Index
from img.domain.oci.layout import REF_NAME
from img.domain.oci.manifest import Manifest
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from tests.support.images.image_archives import (
    AMD64,
    ARM64,
    HIGH,
    LOW,
    Files,
    a_buildkit_cache,
    a_config,
    a_layout,
    add,
    an_archive,
    an_artifact,
    an_attestation,
    an_image,
    an_index,
    listed,
    manifest_json,
    without_layers,
)

APP = ImageReference.parse("app:1")
LOW_GZIP, HIGH_GZIP = (gzip.compress(layer, mtime=0) for layer in (LOW, HIGH))
NULL = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":null}'


def load(archive: bytes, blobs: MemoryBlobStore | None = None) -> list[ArchivedImage]:
    store = MemoryBlobStore() if blobs is None else blobs
    importer = ArchiveImporter(store, archive_members, decompressed, AMD64)
    return list(importer.read(io.BytesIO(archive)))


def app(target: Descriptor, platform: Platform | None = None) -> Descriptor:
    """Return ``target`` as an index lists it under the name app:1."""
    return listed(target, platform, {REF_NAME: str(APP)})


def broken_layouts(blobs: MemoryBlobStore) -> dict[str, bytes | Index]:
    """Return indexes of layouts that docker 25 wrote, and others in which something is wrong."""
    good = an_image(blobs, LOW, HIGH, compressed=False)
    empty = without_layers(blobs, good)
    absent = replace(good, digest=Digest.of(b"absent"))
    swapped = Manifest(
        config=add(blobs, a_config(LOW, HIGH), media_types.OCI_CONFIG),
        layers=tuple(add(blobs, layer, media_types.OCI_LAYER) for layer in (HIGH, LOW)),
    )
    wrong = add(blobs, encode_manifest(swapped), media_types.OCI_MANIFEST)
    packed, cut = (
        add(
            blobs,
            encode_manifest(
                replace(
                    swapped,
                    layers=tuple(add(blobs, each, media_types.OCI_LAYER_GZIP) for each in layers),
                )
            ),
            media_types.OCI_MANIFEST,
        )
        for layers in ((HIGH_GZIP, LOW_GZIP), (LOW_GZIP, HIGH_GZIP[:-9]))
    )
    return {
        "no manifests": NULL,
        "no layers": Index(manifests=(app(empty),)),
        "no layers in an index": Index(manifests=(app(an_index(blobs, empty)),)),
        "another order of layers": Index(manifests=(app(wrong),)),
        "another order of compressed layers": Index(manifests=(app(packed),)),
        "a compressed layer that is cut short": Index(manifests=(app(cut),)),
        "no manifest": Index(manifests=(app(absent),)),
        "an artifact alone": Index(manifests=(an_artifact(blobs),)),
        "no JSON": b"[",
        "one of two": Index(manifests=(app(good), empty)),
    }


@pytest.mark.parametrize("kind", broken_layouts(MemoryBlobStore()))
def test_of_an_archive_with_a_broken_layout_the_other_half_counts(kind: str) -> None:
    elsewhere, blobs = MemoryBlobStore(), MemoryBlobStore()
    index = broken_layouts(elsewhere)[kind]

    (image,) = load(a_layout(elsewhere, index, more=manifest_json(LOW, HIGH)), blobs)

    assert image.references == (APP,)
    assert image.id == Digest.of(a_config(LOW, HIGH))
    with blobs.open(image.target.digest) as content:
        layers = decode_manifest(content.read()).layers
    assert [layer.digest for layer in layers] == [Digest.of(LOW), Digest.of(HIGH)]


@pytest.mark.parametrize("kind", broken_layouts(MemoryBlobStore()))
@pytest.mark.parametrize(
    "more", [{}, {"manifest.json": b"[]"}, {"manifest.json": b'[{"Config": "gone.json"}]'}]
)
def test_a_broken_layout_without_a_good_other_half_is_refused(kind: str, more: Files) -> None:
    blobs = MemoryBlobStore()

    with pytest.raises(InvalidArchive):
        load(a_layout(blobs, broken_layouts(blobs)[kind], more=more))


def test_where_both_halves_are_broken_the_layout_is_told_of() -> None:
    blobs = MemoryBlobStore()
    index = Index(manifests=(app(without_layers(blobs, an_image(blobs, LOW))),))
    archive = a_layout(blobs, index, more={"manifest.json": b'[{"Config": "gone.json"}]'})

    with pytest.raises(InvalidArchive, match="has 0 layers, but its config names 1"):
        load(archive)


@pytest.mark.parametrize("in_index", [True, False], ids=["in the index", "in the config"])
@pytest.mark.parametrize(
    ("platforms", "taken"),
    [
        ((AMD64, ARM64), 0),
        ((ARM64, AMD64), 1),
        ((Platform("linux", "386"), AMD64, ARM64), 1),
        ((ARM64, Platform("linux", "s390x")), 0),
        ((Platform("linux", "amd64", os_features=("x",)), AMD64), 1),
    ],
)
def test_of_several_platforms_of_one_name_ours_gets_it(
    platforms: tuple[Platform, ...], taken: int, in_index: bool
) -> None:
    blobs = MemoryBlobStore()
    targets = [an_image(blobs, LOW, platform=each) for each in platforms]
    entries = [
        app(target, platform if in_index else None)
        for target, platform in zip(targets, platforms, strict=True)
    ]

    images = load(a_layout(blobs, Index(manifests=tuple(entries))))

    assert [image.references for image in images] == [
        (APP,) if i == taken else () for i, _ in enumerate(platforms)
    ]
    assert [image.target.digest for image in images] == [each.digest for each in targets]


def test_an_index_of_our_platform_gets_a_name_before_a_manifest_of_another() -> None:
    blobs = MemoryBlobStore()
    theirs = an_image(blobs, LOW, platform=ARM64)
    ours = an_index(blobs, listed(an_image(blobs, LOW), AMD64))

    images = load(a_layout(blobs, Index(manifests=(app(theirs, ARM64), app(ours)))))

    assert {image.target.digest: image.references for image in images} == {
        theirs.digest: (),
        ours.digest: (APP,),
    }


def parts_of(blobs: MemoryBlobStore, target: Descriptor) -> tuple[Digest, Digest, Digest]:
    """Return the digests of a manifest, of its config and of its layer."""
    with blobs.open(target.digest) as content:
        manifest = decode_manifest(content.read())
    return target.digest, manifest.config.digest, manifest.layers[0].digest


@pytest.mark.parametrize("gone", range(1, 8))
@pytest.mark.parametrize("other", ["arm64", "attestation"])
def test_what_is_whole_of_a_partial_image_is_loaded(gone: int, other: str) -> None:
    blobs = MemoryBlobStore()
    image = listed(an_image(blobs, LOW), AMD64)
    second = (
        listed(an_image(blobs, HIGH, platform=ARM64), ARM64)
        if other == "arm64"
        else an_attestation(blobs)
    )
    index = an_index(blobs, second, image)
    lost = [part for bit, part in enumerate(parts_of(blobs, second)) if gone >> bit & 1]

    (loaded,) = load(a_layout(blobs, Index(manifests=(app(index),)), without=lost))

    assert loaded == ArchivedImage(target=index, references=(APP,))
    assert loaded.id == index.digest


@pytest.mark.parametrize("part", range(3))
def test_an_index_of_which_no_image_is_whole_is_refused_with_what_is_missing(part: int) -> None:
    blobs = MemoryBlobStore()
    image = listed(an_image(blobs, LOW), AMD64)
    index = an_index(blobs, image, an_attestation(blobs))
    lost = parts_of(blobs, image)[part]

    with pytest.raises(InvalidArchive, match=f"blob {lost} is missing"):
        load(a_layout(blobs, Index(manifests=(app(index),)), without=[lost]))


@pytest.mark.parametrize("other", [an_artifact, a_buildkit_cache, an_attestation])
def test_what_is_no_image_is_passed_over(other: object) -> None:
    blobs = MemoryBlobStore()
    assert callable(other)
    image = an_image(blobs, LOW)

    assert load(a_layout(blobs, Index(manifests=(other(blobs), app(image))))) == [
        ArchivedImage(target=image, references=(APP,))
    ]


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (an_artifact, "application/x.chart"),
        (a_buildkit_cache, media_types.OCI_LAYER),
        (an_attestation, "an attestation"),
        (an_index, "an empty index"),
        (lambda blobs: add(blobs, b"x", "text/plain"), "text/plain"),
    ],
)
def test_a_layout_without_images_is_refused_with_what_it_holds(other: object, kind: str) -> None:
    blobs = MemoryBlobStore()
    assert callable(other)

    with pytest.raises(InvalidArchive) as refused:
        load(a_layout(blobs, Index(manifests=(other(blobs),))))

    assert f"what it holds is no image but {kind}" in refused.value.message


@pytest.mark.parametrize("kind", [media_types.OCI_LAYER_GZIP, media_types.DOCKER_LAYER])
@pytest.mark.parametrize("nested", [False, True])
def test_an_encrypted_image_is_named_as_such(kind: str, nested: bool) -> None:
    blobs = MemoryBlobStore()
    whole = an_image(blobs, HIGH)
    secret = add(blobs, b"no tar", f"{kind}+encrypted")
    config = add(blobs, a_config(LOW), media_types.OCI_CONFIG)
    manifest = encode_manifest(Manifest(config=config, layers=(secret,)))
    encrypted = add(blobs, manifest, media_types.OCI_MANIFEST)
    target = an_index(blobs, whole, encrypted) if nested else encrypted

    with pytest.raises(InvalidArchive) as refused:
        load(a_layout(blobs, Index(manifests=(app(target),))))

    assert f"is encrypted: layer {secret.digest} is {kind}+encrypted" in refused.value.message
    assert "skopeo copy --decryption-key" in str(refused.value.hint)


def test_links_are_followed_to_directories_and_through_them() -> None:
    blobs = MemoryBlobStore()
    entry = {"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["x/layer.tar", "y/../b.tar"]}
    files: dict[str, bytes | str] = {
        "c.json": a_config(LOW, HIGH),
        "manifest.json": json.dumps([entry]).encode(),
        "x": "deep/real",
        "deep/real/layer.tar": LOW,
        "y": "/deep/real",
        "deep/b.tar": "../z/b",
        "z": "deep/../deep/other",
        "z/b": HIGH,  # where the link leads, as with tar
    }

    (image,) = load(an_archive(files), blobs)

    with blobs.open(Digest.of(a_config(LOW, HIGH))) as content:
        assert decode_config(content.read()).diff_ids == (
            DiffID(Digest.of(LOW)),
            DiffID(Digest.of(HIGH)),
        )
    assert image.references == (APP,)


@pytest.mark.parametrize("link", ["x", "x/x", "../x", "y", "/x/../x"])
def test_links_that_lead_nowhere_are_no_files(link: str) -> None:
    entry: dict[str, object] = {"Config": "x/c.json", "Layers": []}
    files: Files = {"x": link, "y": "x", "manifest.json": json.dumps([entry]).encode()}

    with pytest.raises(InvalidArchive, match=r"x/c\.json is missing"):
        load(an_archive(files))
