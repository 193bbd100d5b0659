"""The options of builds on a cluster, and what they exclude."""

from pathlib import Path

import pytest

from img.application.ports.cluster_launcher import ClusterEndpoint, MissingClusterExtra
from img.domain.errors import UsageError
from img.entrypoints.api.options import (
    BakeOptions,
    BuildOptions,
    RegistryOptions,
    SharedOptions,
)
from img.entrypoints.cli.app import invoke
from img.entrypoints.cli.build_options import ClusterOptions
from img.entrypoints.cli.clusters import chosen_cluster, refuse

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


# What each option means for steps on workers. A new one is in no set: add it to one.
ON_CLIENT = {  # the context, the definition, the cache, and what follows the steps
    *("annotation", "attest", "attest_as", "build_arg", "build_context", "cache_from", "explain"),
    *("file", "iidfile", "jobs", "label", "load", "lock", "locked", "lockfile", "metadata_file"),
    *("no_cache", "no_cache_filter", "output", "platform", "provenance", "pull", "push", "sbom"),
    *("set", "source_policy_file", "squash", "tag", "target", "var", "verify_base"),
    *("cluster", "cluster_secrets", "cluster_store", "secret", "ssh"),
}
IN_TASKS = {"add_host", "network", "retry", "secret_guard", "shm_size", "timeout", "ulimit"}
OF_EACH_MACHINE = {  # docs/cluster.md says so
    *("authfile", "backend", "debug", "executor", "insecure_registry", "shared_store", "state"),
    "tls_verify",
}
REFUSED = {
    *("cgroup_parent", "cpu_period", "cpu_quota", "cpu_shares", "cpus", "cpuset_cpus"),
    *("cpuset_mems", "dns", "dns_option", "dns_search", "emulate", "inject_ca", "memory"),
    *("memory_swap", "resource", "volume"),
}
SOME_REFUSED = {"allow": "userns", "cache_to": "type=gha,mounts=true", "on_fail": "keep"}
VALUES = {
    **SOME_REFUSED,
    "cpuset_cpus": "0",
    "cpuset_mems": "0",
    "dns": "1.1.1.1",
    "dns_search": "example.com",
    "cgroup_parent": "/a",
    "dns_option": "ndots:1",
    "emulate": "off",
    "inject_ca": "true",
    "memory": "1g",
    "memory_swap": "2g",
    "resource": "memory=2g",
    "volume": "/:/mnt",
}


def test_each_option_has_a_meaning_for_a_cluster() -> None:
    sets = (ON_CLIENT, IN_TASKS, OF_EACH_MACHINE, REFUSED, set(SOME_REFUSED))
    given = {*BuildOptions.__annotations__, *RegistryOptions.__annotations__}
    given |= {*SharedOptions.__annotations__, *BakeOptions.__annotations__}

    assert given == set().union(*sets)
    assert len(given) == sum(map(len, sets))


@pytest.mark.parametrize("name", sorted({*REFUSED, *SOME_REFUSED}))
def test_settings_of_a_machine_are_refused_by_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    option = f"--{name.replace('_', '-')}"
    words = [f"{option}={VALUES.get(name, '1000')}", str(tmp_path)]
    if name == "memory_swap":
        words = ["--memory=1g", *words]
    monkeypatch.setenv("IMG_CLUSTER", ADDRESS)
    monkeypatch.setenv("IMG_CLUSTER_STORE", f"dir:{tmp_path}")

    with pytest.raises(UsageError, match=rf"--cluster does not support .*{option}"):
        invoke(["build", *words])


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


@pytest.mark.parametrize("option", ["--cluster-store=dir:/shared", "--cluster-secrets"])
@pytest.mark.parametrize("command", ["build", "bake"])
def test_an_option_of_clusters_without_a_cluster_is_refused(
    option: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMG_CLUSTER", raising=False)
    name = option.partition("=")[0]

    with pytest.raises(UsageError, match=f"{name} needs --cluster"):
        invoke([command, option, str(tmp_path)])


def test_a_store_in_the_environment_is_for_builds_on_clusters_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("IMG_CLUSTER", raising=False)
    monkeypatch.setenv("IMG_CLUSTER_STORE", "dir:/a")

    given = ClusterOptions.given(cluster="", cluster_store="", cluster_secrets=False)

    with given.chosen({"--memory": "1g"}) as alone:
        assert alone is None


@pytest.mark.parametrize("cluster", [ADDRESS, "local:2", "slurm"])
def test_a_package_that_is_missing_is_named_before_the_build(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("img.adapters.cluster_launcher.host_process.find_spec", lambda _name: None)

    with (
        pytest.raises(MissingClusterExtra, match=f"--cluster {cluster} needs the package distrib"),
        chosen_cluster(cluster, f"dir:{tmp_path}", secrets=False, unsupported={}),
    ):
        pass
