"""The Python blocks of docs/api.md run one after the other, as a program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from img.testing.loopback_registry import LoopbackRegistry
from tests.support.documents import PROGRAMS, all_blocks


@pytest.mark.parametrize("document", PROGRAMS)
def test_the_program_of_a_document_runs(document: str, tmp_path: Path) -> None:
    blocks = [
        block.text
        for block in all_blocks()
        if block.document == document and block.language == "python"
    ]
    assert len(blocks) > 7
    with LoopbackRegistry() as registry:
        program = "\n".join(blocks).replace("registry.example.com", registry.address)
        (tmp_path / "page.py").write_text(program)
        done = subprocess.run(
            [sys.executable, "page.py"],
            cwd=tmp_path,
            env={
                "IMG_STATE": str(tmp_path / "state"),
                "HOME": str(tmp_path),
                "PATH": os.environ["PATH"],
            },
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert "[1/1] COPY --chown=1000:1000" in done.stdout
    assert done.stderr == ""
