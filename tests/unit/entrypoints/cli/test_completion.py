"""Shell completion."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from img.entrypoints.cli.app import run
from img.entrypoints.cli.completion import stages

TEXT = "FROM scratch AS build\nRUN <<E\nFROM x AS no\nE\nFROM build AS base\nFROM build\n"


def test_stages_are_those_of_the_dockerfile_given(tmp_path: Path) -> None:
    (tmp_path / "Other").write_text(TEXT)
    given = SimpleNamespace(params={"file": str(tmp_path / "Other")}, args=[])

    assert stages(given, "") == ["build", "base"]
    assert stages(given, "ba") == ["base"]
    assert stages(given, "x") == []


@pytest.mark.parametrize("name", ["Dockerfile", "dockerfile", "Containerfile"])
def test_without_one_it_is_that_of_the_context(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(TEXT)

    place = [str(tmp_path)]

    assert stages(SimpleNamespace(params={"path": place}, args=[]), "bu") == ["build"]
    assert stages(SimpleNamespace(params={"path": None}, args=place), "bu") == ["build"]


@pytest.mark.parametrize("text", [None, "", "FROMM x\n", "FROM", 'RUN "\n', "\x00\xff"])
def test_where_none_can_be_read_nothing_is_proposed(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "Dockerfile").write_bytes(text.encode("latin-1"))

    assert (
        stages(SimpleNamespace(params={"path": [str(tmp_path)], "file": None}, args=[]), "") == []
    )


def test_a_home_that_takes_no_completion_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")

    assert run(["--install-completion", "bash"]) == 1
    assert "cannot install completion" in capsys.readouterr().err


def test_what_goes_wrong_is_not_printed_amid_what_is_being_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_IMG_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "img rm")
    monkeypatch.setenv("COMP_CWORD", "no number")

    assert run([]) == 1
    assert capsys.readouterr() == ("", "")
