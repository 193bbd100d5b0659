"""Clusters of ``--cluster``."""

import pytest

from img.domain.errors import UsageError
from img.domain.options.cluster_address import (
    BatchSystem,
    ClusterAddress,
    Kubernetes,
    LocalWorkers,
    SchedulerAddress,
    SshHosts,
    parse_cluster,
    parse_scheduler,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://head:8786", SchedulerAddress(host="head", port=8786, tls=False)),
        ("tls://10.0.0.1:1", SchedulerAddress(host="10.0.0.1", port=1, tls=True)),
        ("tcp://[fe80::1]:9", SchedulerAddress(host="[fe80::1]", port=9, tls=False)),
        ("slurm", BatchSystem("slurm")),
        ("pbs", BatchSystem("pbs")),
        ("kubernetes", Kubernetes()),
        ("ssh:a,me@b.example,::1", SshHosts(("a", "me@b.example", "::1"))),
        ("local:4", LocalWorkers(4)),
    ],
)
def test_an_address(text: str, address: ClusterAddress) -> None:
    assert parse_cluster(text) == address
    assert str(address) == text


def test_the_usual_port_of_a_scheduler() -> None:
    assert str(parse_cluster("tcp://head")) == "tcp://head:8786"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it names no kind of cluster"),
        ("head:8786", "it names no kind of cluster"),
        ("slurm:a", "it names no kind of cluster"),
        ("local", "it names no kind of cluster"),
        ("tcp://", "it is no address of a scheduler"),
        ("http://head:8786", "it is no address of a scheduler"),
        ("tcp://head:0", "it is no address of a scheduler"),
        ("tcp://head:65536", "it is no address of a scheduler"),
        ("tcp://head:8786/x", "it is no address of a scheduler"),
        ("tcp://me@head:8786", "it is no address of a scheduler"),
        ("ssh:", "'' is no host"),
        ("ssh:a,", "'' is no host"),
        ("ssh:-oProxyCommand=x", "'-oProxyCommand=x' is no host"),
        ("ssh:a b", "'a b' is no host"),
        ("ssh:a,b,a", "a host is there twice"),
        ("local:0", "the number of workers is not from 1 to 256"),
        ("local:x", "the number of workers is not from 1 to 256"),
        ("local:257", "the number of workers is not from 1 to 256"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cluster(text)

    assert caught.value.message == f"invalid --cluster {text!r}: {problem}"
    assert caught.value.hint


def test_a_worker_needs_a_scheduler() -> None:
    with pytest.raises(UsageError, match=r"^invalid ADDRESS 'slurm': it is no address"):
        parse_scheduler("slurm", "ADDRESS")
