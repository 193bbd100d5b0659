"""Accepted frontends."""

import pytest

from img.domain.dockerfile.frontend import ForeignFrontend, check_frontend


@pytest.mark.parametrize(
    "reference",
    [
        "docker/dockerfile",
        "docker/dockerfile:1",
        "docker/dockerfile:1.7-labs",
        "docker.io/docker/dockerfile:1@sha256:" + "a" * 64,
        "docker/dockerfile-upstream:master",
    ],
)
def test_every_version_of_dockers_own_frontend_is_spoken(reference: str) -> None:
    check_frontend(f"# syntax={reference}\nFROM scratch\n")


def test_a_file_without_the_directive_is_a_dockerfile() -> None:
    check_frontend("FROM scratch\n# syntax=other/language\n")


@pytest.mark.parametrize(
    "reference", ["other/language:1", "quay.io/docker/dockerfile", "Not a name"]
)
def test_another_language_is_refused_with_its_line(reference: str) -> None:
    with pytest.raises(ForeignFrontend) as refused:
        check_frontend(f"# escape=\\\n# syntax={reference}\nFROM scratch\n")
    assert refused.value.lines == (2, 2)
    assert reference.partition(" ")[0] in refused.value.message


def test_the_build_argument_decides_over_the_directive() -> None:
    check_frontend("# syntax=other/language\nFROM scratch\n", "docker/dockerfile:1")
    with pytest.raises(ForeignFrontend):
        check_frontend("# syntax=docker/dockerfile\nFROM scratch\n", "other/language")
