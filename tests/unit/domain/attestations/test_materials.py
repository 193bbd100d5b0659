"""Names of sources."""

import pytest

from img.domain.attestations.image_names import image_material, purl_of_image
from img.domain.attestations.material import (
    checkout_material,
    download_material,
    git_identifier,
    sorted_materials,
)
from img.domain.digest import Digest
from img.domain.platform import Platform
from img.domain.reference import ImageReference

ARM = Platform("linux", "arm", "v7")
DIGEST = Digest.of(b"x")
PLATFORM = "platform=linux%2Farm%2Fv7"


@pytest.mark.parametrize(
    ("name", "purl"),
    [
        ("app", f"pkg:docker/app@latest?{PLATFORM}"),
        ("team/app:1", f"pkg:docker/team/app@1?{PLATFORM}"),
        ("127.0.0.1:5000/app:1", f"pkg:docker/127.0.0.1%3A5000/app@1?{PLATFORM}"),
        (f"app@{DIGEST}", f"pkg:docker/app?digest={DIGEST}&{PLATFORM}"),
        (f"app:1@{DIGEST}", f"pkg:docker/app@1?digest={DIGEST}&{PLATFORM}"),
    ],
)
def test_images_have_the_names_of_buildkit(name: str, purl: str) -> None:
    assert purl_of_image(ImageReference.parse(name), ARM) == purl


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("oci-layout:///some/lay:1", f"pkg:oci/lay?digest={DIGEST}&{PLATFORM}"),
        (str(DIGEST), f"pkg:oci/image?digest={DIGEST}&{PLATFORM}"),
        ("docker.io/library/app:latest", f"pkg:docker/app@latest?{PLATFORM}"),
    ],
)
def test_a_base_image_is_a_material_wherever_it_is_from(text: str, uri: str) -> None:
    assert image_material(text, DIGEST, ARM).as_object() == {
        "uri": uri,
        "digest": {"sha256": DIGEST.encoded},
    }


def test_sources_are_sorted_and_stated_once() -> None:
    page = download_material("https://me:pw@example.com/f?token=abc", DIGEST)
    commit = checkout_material("https://me:pw@example.com/a.git", "refs/tags/v1", "0" * 40)
    tagged = image_material("docker.io/library/app:latest", DIGEST, ARM)
    same = image_material(f"docker.io/library/app@{DIGEST}", DIGEST, ARM)

    found = sorted_materials([page, same, commit, tagged, page])

    assert found == (tagged, commit, page)
    assert page.uri == "https://xxxxx:xxxxx@example.com/f?token=xxxxx"
    assert commit.as_object() == {
        "uri": "https://xxxxx:xxxxx@example.com/a.git#refs/tags/v1",
        "digest": {"sha1": "0" * 40},
    }
    assert checkout_material("git://h/a", "", "0" * 64).algorithm == "sha256"


@pytest.mark.parametrize(
    ("remote", "ref", "subdir", "identifier"),
    [
        ("https://me:pw@example.com/a.git", "main", "", "git://example.com/a.git#main"),
        ("git://h:9418/a.git", "v1", "sub", "git://h:9418/a.git#v1:sub"),
        ("https://example.com/a.git", "", "", "git://example.com/a.git"),
        ("git@example.com:a.git", "main", "", "git@example.com:a.git#main"),
    ],
)
def test_checkouts_have_the_identifiers_of_buildkit(
    remote: str, ref: str, subdir: str, identifier: str
) -> None:
    assert git_identifier(remote, ref, subdir) == identifier
