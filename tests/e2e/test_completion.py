"""Completion of command lines by shells."""

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext

pytestmark = pytest.mark.any_user


def test_a_shell_gets_the_names_of_images(img: Img, write_context: WriteContext) -> None:
    img("build", "-q", "-t", "jess/other:1", write_context("FROM scratch\nLABEL a=b\n"))
    for command in ("rm", "history"):
        asking = img.with_environment(
            _IMG_COMPLETE="complete_bash", COMP_WORDS=f"img {command} jess/o", COMP_CWORD="2"
        )
        assert "jess/other:1" in asking().stdout.split()


@pytest.mark.parametrize(
    ("shell", "begins"),
    [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete --command")],
)
def test_it_prints_the_completion_of_a_shell_that_is_named(
    img_for: ImgFor, shell: str, begins: str
) -> None:
    img = img_for("user")

    printed = img("--show-completion", shell).stdout

    assert "_IMG_COMPLETE" in printed.upper()
    assert begins in printed
    assert img(f"--show-completion={shell}").stdout == printed


def test_completion_knows_the_commands(img_for: ImgFor) -> None:
    asked = img_for("user").with_environment(
        _IMG_COMPLETE="complete_bash", COMP_WORDS="img pu", COMP_CWORD="1"
    )

    assert asked().stdout.split() == ["pull", "push"]


def test_completion_knows_values_and_the_stages_of_a_dockerfile(
    img_for: ImgFor, write_context: WriteContext
) -> None:
    context = write_context("FROM scratch AS build\nFROM scratch AS base\nFROM build\n")

    def proposed(*words: str) -> list[str]:
        text = " ".join(("img", "build", "--rm=true", *words))
        asked = img_for("user").with_environment(
            _IMG_COMPLETE="complete_bash", COMP_WORDS=text, COMP_CWORD=str(len(text.split()) - 1)
        )
        return asked().stdout.split()

    assert proposed("--progress", "p") == ["plain"]
    assert proposed("-f", f"{context}/Dockerfile", "--target", "b") == ["build", "base"]
    assert proposed(str(context), "--target", "bu") == ["build"]
    assert proposed("-f", "/nowhere", "--target", "b") == []
