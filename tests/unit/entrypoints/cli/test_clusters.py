"""The options of builds on a cluster, and what they exclude."""

from pathlib import Path

import pytest

from img.application.ports.cluster_launcher import ClusterEndpoint
from img.domain.errors import UsageError
from img.entrypoints.cli.clusters import chosen_cluster, refuse
from img.entrypoints.cli.options import ClusterOptions

ADDRESS = "tcp://head:8786"


def test_a_scheduler_and_a_store_are_a_cluster(tmp_path: Path) -> None:
    with chosen_cluster(ADDRESS, f"dir:{tmp_path}", secrets=False, unsupported={}) as found:
        assert (found.name, found.store) == (ADDRESS, f"dir:{tmp_path}")
        assert found.start() == ClusterEndpoint(address=ADDRESS)


@pytest.mark.parametrize(
    ("place", "secrets", "unsupported", "message"),
    [
        ("", False, {}, "needs a place"),
        ("dir:relative", False, {}, "not absolute"),
        ("dir:{}", True, {}, r"needs a connection with TLS, and tcp://head:8786 has none"),
        ("dir:{}", False, {"--memory": "1g", "--dns": ""}, "does not support --memory: "),
    ],
)
def test_other_command_lines_are_refused(
    place: str, secrets: bool, unsupported: dict[str, object], message: str, tmp_path: Path
) -> None:
    opening = chosen_cluster(
        ADDRESS, place.format(tmp_path), secrets=secrets, unsupported=unsupported
    )

    with pytest.raises(UsageError, match=message), opening:
        pass


def test_nothing_is_refused_where_nothing_is_named() -> None:
    refuse(())


def test_the_environment_names_what_the_command_line_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMG_CLUSTER", ADDRESS)
    monkeypatch.setenv("IMG_CLUSTER_STORE", "dir:/a")

    given = ClusterOptions.given(cluster="", cluster_store="dir:/b", cluster_secrets=True)

    assert given == ClusterOptions(cluster=ADDRESS, store="dir:/b", secrets=True)
    with ClusterOptions().chosen({"--memory": "1g"}) as alone:
        assert alone is None
