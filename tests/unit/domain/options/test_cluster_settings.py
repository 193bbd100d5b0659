"""The table of clusters in the settings file."""

from collections.abc import Mapping

import pytest

from img.domain.errors import UsageError
from img.domain.options.cluster_settings import (
    ClusterSettings,
    SettingsFile,
    parse_cluster_settings,
)

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
cache-mounts = "500MB"
ca = "/etc/img/ca.pem"
cert = "/etc/img/cert.pem"
key = "/etc/img/key.pem"
"""


def settings_in(*contents: bytes, environment: Mapping[str, str] | None = None) -> ClusterSettings:
    """Return the settings of files in /conf."""
    files = [
        SettingsFile(path="settings.toml", directory="/conf", content=content)
        for content in contents
    ]
    return parse_cluster_settings(files, environment or {})


def test_a_table_with_all_keys() -> None:
    settings = settings_in(ALL)

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
        cache_mounts=500 << 20,
        ca="/etc/img/ca.pem",
        cert="/etc/img/cert.pem",
        key="/etc/img/key.pem",
    )
    assert settings.has_tls


@pytest.mark.parametrize("content", [b"", b"[cluster]\n"])
def test_without_keys_there_are_defaults(content: bytes) -> None:
    settings = settings_in(content)

    assert settings == ClusterSettings()
    assert not settings.has_tls


def test_variables_replace_certificates() -> None:
    environment = {"IMG_CLUSTER_CA": "a", "IMG_CLUSTER_CERT": "b", "IMG_CLUSTER_KEY": "c"}

    for content in (b"", ALL):
        settings = settings_in(content, environment=environment)
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
        ('[cluster]\nstate = "here"', "state in [cluster] is no absolute path"),
        ('[cluster]\nqueue = "a\\nb"', "queue in [cluster] is no text of one line"),
        ('[cluster]\nprologue = "x"', "prologue in [cluster] is no list"),
        ("[cluster]\nprologue = [1]", "prologue in [cluster] is no text"),
        ('[cluster]\nca = "a"', "cert and key is not set"),
    ],
)
def test_what_is_refused(content: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings_in(content.encode("latin-1"))

    assert problem in caught.value.message
    assert "settings" in f"{caught.value.message} {caught.value.hint}"


def test_the_users_keys_replace_those_of_the_system() -> None:
    settings = settings_in(ALL, b"[cluster]\nworkers = 1\n[policy]\npinned = true\n")

    assert (settings.workers, settings.processors) == (1, 16)


def test_certificates_lie_beside_the_settings_file() -> None:
    settings = settings_in(b'[cluster]\nca = "ca.pem"\ncert = "/c.pem"\nkey = "keys/k.pem"\n')

    assert (settings.ca, settings.cert, settings.key) == (
        "/conf/ca.pem",
        "/c.pem",
        "/conf/keys/k.pem",
    )


def test_workers_keep_no_cache_mounts_if_they_may_have_no_bytes() -> None:
    assert settings_in(b'[cluster]\ncache-mounts = "0"\n').cache_mounts == 0
    with pytest.raises(UsageError, match=r"cache-mounts in \[cluster\] cannot be read"):
        settings_in(b'[cluster]\ncache-mounts = "some"\n')
