"""Colours that users choose, and widths of texts on terminals."""

import pytest

from img.domain.cell_width import cell_width, cut, padded
from img.domain.colours import USUAL, colours


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", {}),
        ("run=green:error=light-red", {"run": "32", "error": "91"}),
        ("RUN=Cyan:cancel=1,22,255", {"run": "36", "cancel": "38;2;1;22;255"}),
        ('"run=1,2,3":warning=default', {"run": "38;2;1;2;3", "warning": "39"}),
        ("run=blau:go=red:error=1,2,256:cancel=1,2:warning", {}),
        ("run=\x1b[31m:error=31", {}),
    ],
)
def test_the_variable_of_buildkit_chooses_colours(text: str, changed: dict[str, str]) -> None:
    assert colours({"BUILDKIT_COLORS": text}) == {**USUAL, **changed}


def test_there_are_none_without_colour() -> None:
    assert colours({"NO_COLOR": "1", "BUILDKIT_COLORS": "run=red"}) == {}
    assert colours({"NO_COLOR": ""}) == USUAL  # no-color.org: not empty


def test_widths_are_cells() -> None:
    assert cell_width("abc") == 3
    assert cell_width("\u6f22\u5b57") == 4
    assert cell_width("e\u0301") == 1
    assert cell_width("\U0001f1e9\U0001f1ea\u4dc0") == 6  # letters of a flag, a hexagram
    assert padded("\u6f22", 4) == "\u6f22  "
    assert cut("\u6f22\u5b57\u6f22", 6) == "\u6f22\u5b57\u6f22"
    assert cut("\u6f22\u5b57\u6f22", 4) == "\u6f22\u2026"
