"""The command line of ``img worker``."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import pytest

from img.adapters.cluster_launcher.worker import parse_memory
from img.application.ports.cluster_launcher import MissingClusterExtra
from img.application.ports.shared_blobs import SharedBlobsError
from img.domain.errors import UsageError
from img.domain.options.cluster_settings import ClusterSettings
from img.entrypoints.cli import worker
from img.entrypoints.cli.app import invoke
from img.entrypoints.cli.clusters import chosen_cluster
from img.entrypoints.cli.session import Session
from img.entrypoints.wiring.without_container import cluster_settings


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "must pass an address"),
        (("slurm",), "invalid address of `img worker` 'slurm'"),
        (("tcp://a", "--protocol", "tls://"), "--protocol tls://: the address is tcp://a:8786"),
        (("tcp://a", "--nthreads", "-1"), "--nthreads -1: use a positive number"),
        (("tcp://a", "--death-timeout", "soon"), "--death-timeout soon: use seconds"),
        (("tcp://a", "--memory-limit", "much"), "invalid --memory-limit 'much'"),
    ],
)
def test_what_is_refused(
    options: Sequence[str], problem: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMG_STATE", str(tmp_path))

    with pytest.raises(UsageError) as caught:
        invoke(["worker", *options])

    assert problem in caught.value.message


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMG_STATE", str(tmp_path))
    monkeypatch.setattr("img.adapters.cluster_launcher.host_process.find_spec", lambda _name: None)

    with pytest.raises(MissingClusterExtra, match="img worker needs the package distributed") as e:
        invoke(["worker", "tcp://a"])

    assert e.value.hint == "pip install 'img-builder[cluster]'"
    assert importlib.util.find_spec("distributed")


def test_sizes_are_those_of_dask() -> None:
    assert [parse_memory(text) for text in ("1GiB", "7.5GiB", "1e9", "2 MB")] == [
        1 << 30,
        15 << 29,
        10**9,
        2 * 10**6,
    ]
    for text in ("0", "-1GB", "much"):
        with pytest.raises(UsageError):
            parse_memory(text)


def test_each_machine_has_a_state_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMG_STATE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")

    assert worker._state(Session()).startswith("/data/img-workers/")
    assert worker._state(Session(state="/s")) == "/s"
    monkeypatch.setenv("IMG_STATE", "/t")
    assert worker._state(Session()) == "/t"


def test_settings_are_read_where_they_are_usual(tmp_path: Path) -> None:
    path = tmp_path / "img/settings.toml"
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert cluster_settings(environment) == ClusterSettings()
    path.parent.mkdir()
    path.write_text("[cluster]\nworkers = 3\n")

    assert cluster_settings(environment) == ClusterSettings(workers=3)
    assert cluster_settings({"HOME": "/nowhere", "IMG_SETTINGS": str(path)}).workers == 3


def test_settings_that_are_named_have_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"/nowhere/a\.toml cannot be read: No such file"):
        cluster_settings({"IMG_SETTINGS": "/nowhere/a.toml"})
    with pytest.raises(UsageError, match="cannot be read"):
        cluster_settings({"IMG_SETTINGS": str(tmp_path)})


def test_a_directory_is_looked_for_before_a_cluster_is_started(tmp_path: Path) -> None:
    place = f"dir:{tmp_path}/layers"

    with (
        pytest.raises(SharedBlobsError, match=f"there is no {tmp_path}/layers"),
        chosen_cluster("slurm", place, secrets=False, unsupported={}),
    ):
        pass
