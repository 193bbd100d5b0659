"""The benchmarks run; how fast anything is, no test says."""

import os
import subprocess
import sys

import pytest

from tests.benchmarks import memory, transfer
from tests.benchmarks.run import main
from tests.support.servers.registry_server import PROGRAM


@pytest.mark.userns
@pytest.mark.registry
@pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, or a user with subordinate ids")
def test_img_can_be_measured(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path_factory.mktemp("benchmark")

    code = main(["--small", "--repeat=1", "--with=img", f"--directory={work}"])

    table = capsys.readouterr().out
    assert code == 0, table
    assert [line for line in table.splitlines() if "COPY of 300 files" in line]
    assert not list(work.iterdir())


@pytest.mark.userns
@pytest.mark.registry
@pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, or a user with subordinate ids")
def test_no_command_holds_a_layer_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    work = tmp_path_factory.mktemp("memory")
    # Commands take 33 to 63 MB, and one that held the layer would take 60 more.
    options = ["--bytes=60000000", "--random=1", "--limit=90", f"--directory={work}"]

    # As a process of its own: what another takes at most begins with what its parent has.
    ended = subprocess.run(
        [sys.executable, memory.__file__, *options], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(ended.stdout.splitlines()) == 10
    assert not list(work.iterdir())


@pytest.mark.registry
@pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="the others need root")
def test_transfers_can_be_measured(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path_factory.mktemp("transfer")

    code = transfer.main(
        ["--small", "--repeat=1", "--with=img,skopeo,buildah,bare", f"--directory={work}"]
    )

    table = capsys.readouterr().out
    assert code == 0, table
    assert [line for line in table.splitlines() if line.startswith("pull and unpack")]
    assert not list(work.iterdir())
