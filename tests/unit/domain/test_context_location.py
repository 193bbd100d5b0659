"""Locations of contexts."""

import pytest

from img.domain.context_location import (
    GitPlace,
    InputPlace,
    LayoutPlace,
    LocalPlace,
    WebPlace,
    place_of,
)
from img.domain.digest import Digest, InvalidDigest
from img.domain.git_reference import BadGitReference

DIGEST = Digest.of(b"")


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("-", InputPlace),
        (".", LocalPlace),
        ("nowhere", LocalPlace),
        ("https://host/x.tar.gz", WebPlace),
        ("https://host/x.git#v1:sub", GitPlace),
        ("git@host:x", GitPlace),
        ("github.com/a/b", GitPlace),
        ("ftp://host/x", LocalPlace),
    ],
)
def test_places_are_told_apart(location: str, kind: type) -> None:
    assert isinstance(place_of(location, is_directory=False), kind)


def test_a_directory_goes_first_but_for_standard_input() -> None:
    assert isinstance(place_of("github.com/a/b", is_directory=True), LocalPlace)
    assert isinstance(place_of("-", is_directory=True), InputPlace)


def test_a_repository_that_cannot_be_is_refused() -> None:
    with pytest.raises(BadGitReference):
        place_of("https://host/x.git?nope=1", is_directory=False)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("oci-layout://dir", LayoutPlace(path="dir")),
        ("oci-layout:///a/b:v1", LayoutPlace(path="/a/b", tag="v1")),
        ("oci-layout:///a:b/c", LayoutPlace(path="/a:b/c")),
        (f"oci-layout://dir:v1@{DIGEST}", LayoutPlace(path="dir", tag="v1", digest=DIGEST)),
        ("docker-image://x", None),
    ],
)
def test_layouts_have_a_path_a_tag_and_a_digest(text: str, place: LayoutPlace | None) -> None:
    assert LayoutPlace.parse(text) == place


def test_a_layouts_digest_must_be_one() -> None:
    with pytest.raises(InvalidDigest):
        LayoutPlace.parse("oci-layout://dir@sha256:short")
