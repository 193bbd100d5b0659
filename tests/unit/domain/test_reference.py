import pytest

from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.reference import (
    DOCKER_HUB_SERVER,
    ImageReference,
    InvalidReference,
    registry_of,
    server_of,
)

_DIGEST = Digest.of(b"")


def test_a_bare_name_is_an_official_image_of_docker_hub() -> None:
    name = ImageReference.parse("busybox")

    assert str(name) == "docker.io/library/busybox:latest"
    assert name.familiar == "busybox:latest"
    assert name.repository == "docker.io/library/busybox"
    assert name.registry_host == "registry-1.docker.io"
    assert name.server == DOCKER_HUB_SERVER


def test_another_registry_answers_under_its_own_name() -> None:
    name = ImageReference.parse("localhost:5000/team/app:v1")

    assert (name.domain, name.path, name.tag) == ("localhost:5000", "team/app", "v1")
    assert name.registry_host == name.server == "localhost:5000"
    assert name.familiar == str(name)


def test_a_digest_needs_no_tag() -> None:
    name = ImageReference.parse(f"busybox@{_DIGEST}")

    assert (name.tag, name.digest) == ("", _DIGEST)


def test_the_tag_stays_beside_a_digest() -> None:
    assert (
        str(ImageReference.parse("a:1").with_digest(_DIGEST)) == f"docker.io/library/a:1@{_DIGEST}"
    )


def test_another_tag_unpins_the_name() -> None:
    name = ImageReference.parse(f"busybox@{_DIGEST}").with_tag("2")

    assert str(name) == "docker.io/library/busybox:2"


@pytest.mark.parametrize(
    "text", ["", "Busybox", "a b", "a:", "a@sha256:12", "-a/b", "a" * 64, "a\n"]
)
def test_what_names_no_image_is_refused_with_its_text(text: str) -> None:
    text = "f" * 64 if len(text) == 64 else text

    with pytest.raises(InvalidReference, match=r"^parsing image name ") as refused:
        ImageReference.parse(text)
    assert refused.value.text == text


def test_a_name_cannot_be_made_invalid() -> None:
    with pytest.raises(InvalidReference):
        ImageReference(domain="docker.io", path="Upper")
    with pytest.raises(InvalidReference):
        ImageReference.parse("busybox").with_tag("no/tag")


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("", DOCKER_HUB_SERVER),
        ("docker.io", DOCKER_HUB_SERVER),
        ("https://index.docker.io/v1/", DOCKER_HUB_SERVER),
        ("https://quay.io/v2/", "quay.io"),
        ("http://localhost:5000", "localhost:5000"),
    ],
)
def test_a_server_has_one_key(text: str, server: str) -> None:
    assert server_of(text) == server
    assert registry_of(text) == server


@pytest.mark.parametrize("text", ["a b", "localhost:x", "-", "a@b"])
def test_a_registry_is_a_host_and_perhaps_a_port(text: str) -> None:
    with pytest.raises(UsageError, match="is no registry"):
        registry_of(text)
