import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.host.img_command import Img
from tests.support.host.machine import this_account
from tests.support.host.warm_img import WarmImg


@pytest.fixture
def img(tmp_path: Path) -> Iterator[Img]:
    """Yield img of the environment of the tests, quick."""
    servers = WarmImg(patience_s=1)
    program = Path(sys.executable).with_name("img")
    yield Img(
        command=(program,),
        account=this_account(),
        state=tmp_path,
        home=tmp_path,
        quick=servers.words,
    )
    servers.close()


def test_a_quick_command_says_what_a_slow_one_says(img: Img) -> None:
    slow = replace(img, quick=None)

    for words, code in ((["version"], 0), (["ls", "--quiet"], 0), (["bild"], 1)):
        assert img(*words, code=code) == slow(*words, code=code)
    assert img.words != slow.words


def test_what_a_program_heeds_at_its_start_is_given_to_a_new_one(img: Img) -> None:
    assert img.with_environment(PYTHONUTF8="1").words == img.command
    assert replace(img, command=("nice", *img.command)).words == ("nice", *img.command)


def test_a_command_of_which_a_process_is_left_fails(img: Img, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text("#!/bin/sh\nsleep 1000 >/dev/null 2>&1 </dev/null &\n")
    (tmp_path / "bin/git").chmod(0o755)
    path = f"{tmp_path}/bin:{os.environ['PATH']}"

    img.with_environment(PATH=path)("build", "https://localhost:9/a.git", code=70)
