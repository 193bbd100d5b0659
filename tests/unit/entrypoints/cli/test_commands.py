"""Spellings of options."""

from pathlib import Path

import pytest

from img.entrypoints.cli.app import run
from img.entrypoints.cli.commands import modern_spelling


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


@pytest.mark.parametrize("word", ["a\0b", "\ud800", "--build-arg=\udfff"])
def test_a_word_that_no_program_can_be_given_is_refused(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["build", word, "."]) == 1

    printed = capsys.readouterr()
    assert "that no argument of a program can have" in printed.err
    assert printed.err.count("\n") == 1


def test_bytes_that_are_no_text_are_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["frob\udcff"]) == 1

    assert "is not an img command" in capsys.readouterr().err


_OTHERS = "img builds images; other programs run them (img save NAME | podman load)."


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("biuld -t build .", "img: 'biuld' is not an img command. Did you mean 'build'?"),
        ("imagse", "img: 'imagse' is not an img command. Did you mean 'images'?"),
        ("frob", "img: 'frob' is not an img command."),
        ("run app", f"img: 'run' is not an img command. {_OTHERS}"),
        ("image lss", "img image: 'lss' is not an img image command. Did you mean 'ls'?"),
        ("system prune-all", "img system: 'prune-all' is not an img system command."),
        (
            "buildx bulid .",
            "img buildx: 'bulid' is not an img buildx command. Did you mean 'build'?",
        ),
    ],
)
def test_an_unknown_command_is_told_with_the_nearest(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words.split()) == 1

    printed = capsys.readouterr()
    assert printed.err == f"{told}\nSee '{told.partition(':')[0]} --help'\n"
    assert printed.out == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("build --no-cahce .", "no such option: --no-cahce; did you mean --no-cache?"),
        ("build --frobnicate .", "no such option: --frobnicate"),
        ("ls --quite", "no such option: --quite; did you mean --quiet?"),
        ("push --tls-verfy=false x", "no such option: --tls-verfy; did you mean --tls-verify?"),
        ("build -z .", "no such option: -z"),
    ],
)
def test_an_unknown_option_is_told_with_the_nearest(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words.split()) == 1

    assert (
        capsys.readouterr().err
        == f"Error: {told} (see 'img {words.split(maxsplit=1)[0]} --help')\n"
    )


def test_options_of_a_build_that_are_empty_ask_for_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch AS only\n")
    names = "file secret ssh annotation output build-context cache-from cache-to allow"
    empty = [word for name in names.split() for word in (f"--{name}", "")]

    code = run(["-s", str(tmp_path / "state"), "build", *empty, "--call=targets", str(tmp_path)])

    assert code == 0
    assert "only (default)" in capsys.readouterr().out


@pytest.mark.parametrize("group", ["image", "system", "builder", "buildx"])
def test_a_group_without_a_command_shows_its_help(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([group]) == 0

    alone = capsys.readouterr()
    assert run([group, "--help"]) == 0
    assert alone.out == capsys.readouterr().out
    assert alone.out.startswith(f"Usage: img {group} ")
    assert alone.err == ""
