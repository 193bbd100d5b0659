"""The version of img that machines of a cluster compare."""

from pathlib import Path

import pytest

import img
from img import __version__
from img.adapters.cluster.code_version import code_version


def test_it_changes_with_the_text_and_the_name_of_any_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "domain/options/a.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(img, "__file__", str(tmp_path / "__init__.py"))

    def found() -> str:
        code_version.cache_clear()
        return code_version()

    module.write_text("a = 1\n")
    first = found()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/b.py").touch()
    assert found() == first
    module.write_text("a = 2\n")
    second = found()
    module = module.rename(module.with_name("b.py"))
    third = found()
    code_version.cache_clear()

    assert len({first, second, third}) == 3
    assert first.startswith(f"{__version__}+")
