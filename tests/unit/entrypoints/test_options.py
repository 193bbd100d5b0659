"""Spellings of options."""

import pytest

from img.entrypoints.cli.options import modern_spelling


@pytest.mark.parametrize("flag", ["state", "backend", "build-arg", "target", "password-stdin"])
def test_the_seeds_long_flags_work_with_one_dash(flag: str) -> None:
    assert modern_spelling([f"-{flag}", "x"]) == [f"--{flag}", "x"]
    assert modern_spelling([f"-{flag}=x"]) == [f"--{flag}=x"]
    assert modern_spelling([f"--{flag}", "x"]) == [f"--{flag}", "x"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "-t", "name", "."],
        ["build", "-tname", "."],
        ["build", "-ttarget", "."],
        ["-s", "state", "ls"],
        ["build", "--build-arg", "A=-target"],
        ["build", "-"],
        [],
    ],
)
def test_everything_else_is_left_as_it_is(arguments: list[str]) -> None:
    assert modern_spelling(arguments) == arguments


def test_after_two_dashes_nothing_is_an_option() -> None:
    assert modern_spelling(["-state", "/s", "--", "-target"]) == ["--state", "/s", "--", "-target"]


def test_the_words_of_another_program_are_its_own() -> None:
    for words in (["unshare", "podman", "pull", "--tls-verify=false"], ["x", "--", "-state"]):
        assert modern_spelling(words) == words
