"""The table of clusters in the settings file."""

import pytest

from img.domain.errors import UsageError
from img.domain.options.cluster_settings import ClusterSettings, parse_cluster_settings

ALL = b"""
[cluster]
workers = 8
processors = 16
memory = "64GB"
walltime = "1-02:00:00"
queue = "long"
account = "team"
directives = ["--constraint=ib"]
prologue = ["module load python"]
command = "/opt/img/bin/img"
interface = "ib0"
state = "/scratch/img"
logs = "/scratch/logs"
start-timeout = "1m30s"
ca = "/etc/img/ca.pem"
cert = "/etc/img/cert.pem"
key = "/etc/img/key.pem"
"""


def test_a_table_with_all_keys() -> None:
    settings = parse_cluster_settings(ALL, "settings.toml", {})

    assert settings == ClusterSettings(
        workers=8,
        processors=16,
        memory=64 << 30,
        walltime="1-02:00:00",
        queue="long",
        account="team",
        directives=("--constraint=ib",),
        prologue=("module load python",),
        command="/opt/img/bin/img",
        interface="ib0",
        state="/scratch/img",
        logs="/scratch/logs",
        start_timeout_s=90.0,
        ca="/etc/img/ca.pem",
        cert="/etc/img/cert.pem",
        key="/etc/img/key.pem",
    )
    assert settings.has_tls


@pytest.mark.parametrize("content", [b"", b"[cluster]\n"])
def test_without_keys_there_are_defaults(content: bytes) -> None:
    settings = parse_cluster_settings(content, "settings.toml", {})

    assert settings == ClusterSettings()
    assert not settings.has_tls


def test_variables_replace_certificates() -> None:
    environment = {"IMG_CLUSTER_CA": "a", "IMG_CLUSTER_CERT": "b", "IMG_CLUSTER_KEY": "c"}

    for content in (b"", ALL):
        settings = parse_cluster_settings(content, "settings.toml", environment)
        assert (settings.ca, settings.cert, settings.key) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[cluster", "Expected ']'"),
        ("\xff", "can't decode byte"),
        ("[other]", "unknown table [other]"),
        ("cluster = 1", "cluster is no table"),
        ("[cluster]\nworker = 1", "worker in [cluster] is unknown"),
        ("[cluster]\nworkers = 0", "workers in [cluster] is no number from 1"),
        ("[cluster]\nworkers = true", "workers in [cluster] is no number from 1"),
        ('[cluster]\nprocessors = "4"', "processors in [cluster] is no number from 1"),
        ("[cluster]\nmemory = 64", "memory in [cluster] is no text"),
        ('[cluster]\nmemory = "much"', "memory in [cluster] cannot be read"),
        ('[cluster]\nstart-timeout = "0s"', "start-timeout in [cluster] cannot be read"),
        ('[cluster]\nwalltime = "1h"', "walltime in [cluster] is no time"),
        ('[cluster]\nqueue = "a\\nb"', "queue in [cluster] is no text of one line"),
        ('[cluster]\nprologue = "x"', "prologue in [cluster] is no list"),
        ("[cluster]\nprologue = [1]", "prologue in [cluster] is no text"),
        ('[cluster]\nca = "a"', "cert and key is not set"),
    ],
)
def test_what_is_refused(content: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cluster_settings(content.encode("latin-1"), "settings.toml", {})

    assert problem in caught.value.message
    assert "settings.toml" in f"{caught.value.message} {caught.value.hint}"
