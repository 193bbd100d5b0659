"""Copies of images between registries, layouts, archives and the store."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from img.application.ports.image_layout import LayoutError
from img.application.ports.importer import InvalidArchive
from img.application.ports.registry import ManifestUnknown
from img.application.transfer.publish import PlatformsAbsent
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_place import parse_image_place
from img.domain.oci import media_types
from img.domain.oci.codec import decode_index
from img.domain.platform import Platform
from img.domain.reference import ImageReference
from tests.support.images.copying_app import CopyingApp, opened
from tests.support.in_memory_app import ELSEWHERE, HERE

_FILES = {"a": b"1"}
_SOURCE = "one.example/app"
_TARGET = "two.example/app"


@pytest.fixture
def app() -> CopyingApp:
    return CopyingApp()


def test_an_image_of_all_platforms_is_copied_between_registries(app: CopyingApp) -> None:
    app.publish(_SOURCE, _FILES, platforms=(HERE, ELSEWHERE))

    copied = app.copy(_SOURCE, _TARGET, "three.example/app:v1")

    assert app.at(_TARGET).digest == copied.digest == app.at(_SOURCE).digest
    assert app.at("three.example/app:v1").digest == copied.digest
    index = decode_index(app.registry.manifest(ImageReference.parse(_TARGET), copied))
    assert [each.platform for each in index.manifests] == [HERE, ELSEWHERE]


def test_within_a_registry_no_bytes_are_transferred(app: CopyingApp) -> None:
    app.publish(_SOURCE, _FILES)

    app.copy(_SOURCE, "one.example/other/app")

    assert app.registry.received == []
    target = app.at("one.example/other/app")
    (layer,) = app.catalog.manifest(target).layers
    assert app.blobs.size(layer.digest) is None


def test_one_platform_is_its_manifest(app: CopyingApp) -> None:
    app.publish(_SOURCE, _FILES, platforms=(HERE, ELSEWHERE))

    copied = app.copy(_SOURCE, _TARGET, platform=ELSEWHERE)

    assert copied.media_type == media_types.OCI_MANIFEST
    assert app.at(_TARGET).digest == copied.digest


@pytest.mark.parametrize("platforms", [(HERE,), (HERE, ELSEWHERE)])
@pytest.mark.parametrize("way", ["oci:{0}/layout:v1", "oci-archive:{0}/a.tar:a.example/b"])
def test_an_image_comes_back_from_files_as_it_was(
    app: CopyingApp, tmp_path: Path, way: str, platforms: Sequence[Platform]
) -> None:
    app.publish(_SOURCE, _FILES, platforms=tuple(platforms))
    place = way.format(tmp_path)
    copied = app.copy(_SOURCE, place)
    other = CopyingApp()

    again = other.copy(place, _TARGET, "store:kept")

    assert again.digest == copied.digest == other.at(_TARGET).digest
    assert other.images.get(ImageReference.parse("kept")).target.digest == copied.digest


def test_a_docker_archive_has_the_image_of_one_platform(app: CopyingApp, tmp_path: Path) -> None:
    app.publish(_SOURCE, _FILES, platforms=(ELSEWHERE, HERE))
    place = f"docker-archive:{tmp_path}/a.tar:a.example/b"
    app.copy(_SOURCE, place)
    other = CopyingApp()

    assert other.copy(place, "store:kept").media_type == media_types.OCI_MANIFEST
    target = other.images.get(ImageReference.parse("kept")).target
    assert other.catalog.image(target, HERE).config.platform == HERE


def test_a_stored_image_goes_anywhere(app: CopyingApp, tmp_path: Path) -> None:
    built = app.build("FROM scratch\nCOPY a /\n", _FILES)

    copied = app.copy("store:app", f"oci:{tmp_path}/layout", _TARGET)

    assert copied.digest == built.target.digest == app.at(_TARGET).digest
    assert app.copy(f"oci:{tmp_path}/layout", "store:other").digest == built.target.digest


@pytest.mark.parametrize("referrers", [True, False])
def test_what_refers_to_an_image_goes_along(app: CopyingApp, referrers: bool) -> None:
    app.publish(_SOURCE, _FILES, platforms=(HERE, ELSEWHERE))
    subject = app.at(_SOURCE)
    (first, _) = decode_index(
        app.registry.manifest(ImageReference.parse(_SOURCE), subject)
    ).manifests
    signature = app.refer_to(subject, _SOURCE)
    of_part = app.refer_to(first, _SOURCE)
    of_signature = app.refer_to(app.at(f"{_SOURCE}@{signature}"), _SOURCE)

    app.copy(_SOURCE, _TARGET, referrers=referrers)

    for digest in (signature, of_part, of_signature):
        if referrers:
            assert app.at(f"{_TARGET}@{digest}").digest == digest
        else:
            with pytest.raises(ManifestUnknown):
                app.at(f"{_TARGET}@{digest}")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (f"{_TARGET}@{Digest.of(b'')}", "a copy gets a tag, not a digest"),
        (f"oci:/x@{Digest.of(b'')}", "a copy gets a tag, not a digest"),
        ("store:0123456789ab", "store:0123456789ab: it must be a name"),
    ],
)
def test_targets_that_cannot_be_are_refused_before_anything_is_read(
    app: CopyingApp, target: str, message: str
) -> None:
    with pytest.raises(UsageError) as refused:
        app.copy("unknown.example/app", target)

    assert message in refused.value.message


def test_a_layout_with_several_images_needs_a_choice(app: CopyingApp, tmp_path: Path) -> None:
    app.publish(_SOURCE, _FILES)
    app.copy(_SOURCE, f"oci:{tmp_path}:a", f"oci:{tmp_path}:b")
    app.publish(_TARGET, {"b": b"2"})
    app.copy(_TARGET, f"oci:{tmp_path}:b")

    assert app.copy(f"oci:{tmp_path}:a", "store:x").digest == app.at(_SOURCE).digest
    with pytest.raises(LayoutError):
        app.copy(f"oci:{tmp_path}:c", "store:x")


def test_the_only_image_of_a_layout_is_taken_without_a_name_alone(
    app: CopyingApp, tmp_path: Path
) -> None:
    app.publish(_SOURCE, _FILES)
    app.copy(_SOURCE, f"oci:{tmp_path}:a")

    assert app.copy(f"oci:{tmp_path}", "store:x").digest == app.at(_SOURCE).digest
    with pytest.raises(LayoutError, match="has no image b"):
        app.copy(f"oci:{tmp_path}:b", "store:x")


def test_an_archive_with_other_names_is_refused(app: CopyingApp, tmp_path: Path) -> None:
    app.publish(_SOURCE, _FILES)
    app.copy(_SOURCE, f"oci-archive:{tmp_path}/a.tar:a.example/b")

    with pytest.raises(InvalidArchive, match="has 0 images named"):
        app.copy(f"oci-archive:{tmp_path}/a.tar:a.example/c", "store:x")


def test_an_index_with_missing_parts_is_refused(app: CopyingApp, tmp_path: Path) -> None:
    app.publish(_SOURCE, _FILES, platforms=(HERE, ELSEWHERE))
    index = app.at(_SOURCE)
    (_, absent) = decode_index(
        app.registry.manifest(ImageReference.parse(_SOURCE), index)
    ).manifests
    app.copy(_SOURCE, f"oci-archive:{tmp_path}/a.tar", "store:kept")
    other = CopyingApp()
    other.copy(f"oci-archive:{tmp_path}/a.tar", "store:kept")
    other.blobs.remove(absent.digest)

    with pytest.raises(PlatformsAbsent):
        other.copy("store:kept", _TARGET)
    with pytest.raises(ManifestUnknown):
        other.at(_TARGET)


def test_layers_that_the_store_lacks_are_fetched_for_a_layout(
    app: CopyingApp, tmp_path: Path
) -> None:
    app.publish(_SOURCE, _FILES)
    app.container.images.edit_manifest_list().create(
        ImageReference.parse("list"), [parse_image_place(_SOURCE)], open_file=opened
    )

    app.copy("store:list", f"oci:{tmp_path}/layout")

    assert (
        CopyingApp().copy(f"oci:{tmp_path}/layout", "store:x").media_type == media_types.OCI_INDEX
    )
