"""The check of the language (`.ci/voice.py`) finds what it is for."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.support.host.machine import REPOSITORY

_VOICE: dict[str, Any] = runpy.run_path(str(REPOSITORY / ".ci" / "voice.py"))

_FUNCTION = 'def f() -> None:\n    """{}"""\n'
_CLASS = 'class C:\n    """{}"""\n'
_PROPERTY = 'class C:\n    @property\n    def f(self) -> int:\n        """{}"""\n'


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (_FUNCTION.format("The name of a file."), "The"),
        (_FUNCTION.format("Return what the file holds."), "Return what"),
        (_FUNCTION.format("Whether the file exists."), "Whether"),
        (_CLASS.format("What a manifest says of a blob."), "What"),
        (_CLASS.format("Being somebody at a registry."), "Being"),
        (_PROPERTY.format("Whose file it is."), "Whose"),
        (_FUNCTION.format("Return a file.\n\n    Nobody reads it."), "Nobody"),
        ("x = 1  # of who asks first\n", "who"),
        ("x = 1  # a step that is told of it\n", "is told"),
    ],
)
def test_it_finds_openings_and_idioms(code: str, words: str) -> None:
    assert words in [found for _, found, _ in _VOICE["findings_in_code"](code)]


@pytest.mark.parametrize(
    "code",
    [
        _FUNCTION.format("Return the name of the user who logged in."),
        _CLASS.format("Recorded file ownership."),
        _PROPERTY.format("The name of the file."),
        _PROPERTY.format("Return the name of the file."),
        'OWNER = "nobody"  # `nobody:nogroup` in Debian\n',
    ],
)
def test_it_accepts_plain_english(code: str) -> None:
    assert list(_VOICE["findings_in_code"](code)) == []


def test_it_names_the_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nA `whose` in code.\nWhoever reads this.\n")

    assert _VOICE["main"]([str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith(f"{page}:4: 'Whoever': say: ")


def test_a_finished_tree_passes(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("The file has a name.\n")

    assert _VOICE["main"]([str(tmp_path)]) == 0
