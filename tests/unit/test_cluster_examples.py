"""The examples of clusters name options and objects that exist."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from img.domain.options.cluster_address import parse_scheduler
from img.domain.options.cluster_settings import SettingsFile, parse_cluster_settings
from img.entrypoints.cli.app import command_line
from tests.support.host.machine import REPOSITORY

DOCUMENTS: Sequence[Mapping[str, Any]] = [
    *yaml.safe_load_all((REPOSITORY / "examples/cluster/kubernetes.yaml").read_text())
]


def options_of_worker() -> set[str]:
    import typer

    group: Any = typer.main.get_command(command_line(["worker"]))
    return {name for each in group.commands["worker"].params for name in each.opts}


def pod(name: str) -> Mapping[str, Any]:
    """Return the pods' specification of a deployment, which selects their labels."""
    (found,) = (
        each["spec"]
        for each in DOCUMENTS
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", name)
    )
    template = found["template"]
    assert found["selector"]["matchLabels"] == template["metadata"]["labels"]
    spec: Mapping[str, Any] = template["spec"]
    return spec


def words(name: str) -> list[str]:
    (container,) = pod(name)["containers"]
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod(name)["volumes"]}
    return [*container["command"], *container["args"]]


def test_workers_are_started_with_options_of_img_worker() -> None:
    img, worker, address, *options = words("img-worker")

    assert (img, worker) == ("img", "worker")
    assert {each for each in options if each.startswith("-")} <= options_of_worker()
    scheduler = parse_scheduler(address)
    assert scheduler.tls
    (service,) = (each for each in DOCUMENTS if each["kind"] == "Service")
    assert scheduler.host == service["metadata"]["name"]
    assert [port["port"] for port in service["spec"]["ports"]] == [scheduler.port]


def test_the_scheduler_is_started_with_options_of_dask() -> None:
    from distributed.cli.dask_scheduler import main

    dask, scheduler, *options = words("img-scheduler")

    assert (dask, scheduler) == ("dask", "scheduler")
    known = {name for each in main.params for name in (*each.opts, *each.secondary_opts)}
    assert {each for each in options if each.startswith("-")} <= known
    assert "--tls-key" in options


def test_the_settings_of_the_page_are_read() -> None:
    page = (REPOSITORY / "docs/cluster.md").read_text()
    (shown,) = re.findall(r"^```toml\n(.*?)^```", page, re.M | re.S)
    file = SettingsFile(path="settings.toml", directory="/conf", content=shown.encode())

    settings = parse_cluster_settings([file], {})

    assert (settings.workers, settings.processors, settings.memory) == (4, 8, 32 << 30)
    assert (settings.queue, settings.state) == ("batch", "/local/scratch/img")
