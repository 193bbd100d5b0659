"""The examples of docs/api.md run one after the other, as a program."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.host.machine import REPOSITORY

PAGE = REPOSITORY / "docs/api.md"
NEEDS_A_REGISTRY = "registry.example.com"


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 7
    program = "\n".join(block for block in blocks if NEEDS_A_REGISTRY not in block)
    (tmp_path / "page.py").write_text(program)

    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env={"IMG_STATE": str(tmp_path / "state"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "[1/1] COPY --chown=1000:1000" in done.stdout
    assert done.stderr == ""
