"""The benchmark of executors runs; how fast any is, no test says."""

import os

import pytest

from tests.benchmarks.executors import main
from tests.support.servers.registry_server import PROGRAM


@pytest.mark.userns
@pytest.mark.registry
@pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, or a user with subordinate ids")
def test_executors_can_be_measured(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path_factory.mktemp("benchmark")

    code = main(["--small", "--executors=unshare,crun", "--as=root", f"--directory={work}"])

    table = capsys.readouterr().out
    assert code == 0, table
    titles = [line.partition("  ")[0] for line in table.splitlines()[1:]]
    assert titles == [
        "step, unshare",
        "",
        "step, crun",
        "",
        "RUN in a build, unshare",
        "RUN in a build, crun",
    ]
    assert not list(work.iterdir())
