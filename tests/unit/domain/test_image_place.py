"""Places of images on the command line of img copy."""

import pytest

from img.domain.context_location import LayoutPlace
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.image_name import ImageName
from img.domain.image_place import (
    ArchivePlace,
    ImagePlace,
    RegistryPlace,
    StoredPlace,
    parse_image_place,
)
from img.domain.reference import ImageReference, InvalidReference

_DIGEST = Digest.of(b"")
_ALPINE = ImageReference.parse("alpine")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("alpine", RegistryPlace(_ALPINE)),
        ("localhost:5000/a:1", RegistryPlace(ImageReference.parse("localhost:5000/a:1"))),
        ("docker://alpine", RegistryPlace(_ALPINE)),
        (f"a@{_DIGEST}", RegistryPlace(ImageReference.parse(f"a@{_DIGEST}"))),
        ("oci", RegistryPlace(ImageReference.parse("oci"))),
        ("store:alpine", StoredPlace(ImageName.parse("alpine"))),
        ("store:0123456789ab", StoredPlace(ImageName.parse("0123456789ab"))),
        ("oci:dir", LayoutPlace(path="dir")),
        ("oci:/a/dir:tag", LayoutPlace(path="/a/dir", tag="tag")),
        ("oci-layout://dir:tag", LayoutPlace(path="dir", tag="tag")),
        (f"oci:dir@{_DIGEST}", LayoutPlace(path="dir", digest=_DIGEST)),
        ("oci-archive:a.tar", ArchivePlace(format="oci", path="a.tar")),
        (
            "docker-archive:/a.tar:alpine",
            ArchivePlace(format="docker", path="/a.tar", name=_ALPINE),
        ),
    ],
)
def test_a_place_is_named_by_its_transport(text: str, place: ImagePlace) -> None:
    assert parse_image_place(text) == place


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("oci:", "oci:: the path is missing"),
        ("docker-archive:", "docker-archive:: the path is missing"),
        ("http://example.com/a", "http://example.com/a: unknown place of images"),
        ("dir:/tmp/a", "dir:/tmp/a: unknown place of images"),
        ("containers-storage:/a", "containers-storage:/a: unknown place of images"),
    ],
)
def test_other_places_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_image_place(text)

    assert refused.value.message == message


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidReference):
        parse_image_place("Alpine")
