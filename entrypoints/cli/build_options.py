"""Groups of options that builds share, each as one value."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any, ClassVar

import typer

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.options.resources import parse_resources
from img.domain.resources import Resources
from img.entrypoints.cli.options import OptionTable, Texts, option
from img.entrypoints.settings import ClusterChoice

_LISTS = frozenset({"build_arg", "platform", "secret", "ssh", "build_context"})

_CLUSTER: OptionTable = {
    "cluster": (
        Annotated[
            str,
            option(
                "--cluster",
                says="Run steps on the workers of this Dask cluster.",
                value="tcp://HOST:PORT|…",
            ),
        ],
        "",
    ),
    "cluster_store": (
        Annotated[
            str,
            option(
                "--cluster-store",
                says="Exchange layers with the cluster here, such as dir:PATH.",
                value="PLACE",
            ),
        ],
        "",
    ),
    "cluster_secrets": (
        Annotated[
            bool,
            option(
                "--cluster-secrets", says="Send secrets to the workers of their steps, over TLS."
            ),
        ],
        False,
    ),
}


def _stages(ctx: typer.Context, incomplete: str) -> list[str]:
    from img.entrypoints.cli.completion import stages  # only shells that complete a line need it

    return stages(ctx, incomplete)


_INPUTS: OptionTable = {
    "file": (
        Annotated[
            str | None,
            option(
                "--file",
                "-f",
                says="Read this Dockerfile (default: PATH/Dockerfile).",
                value="FILE",
            ),
        ],
        None,
    ),
    "build_arg": (
        Annotated[
            Texts, option("--build-arg", says="Set a build-time variable.", value="KEY[=VALUE]")
        ],
        None,
    ),
    "target": (
        Annotated[
            str,
            option(
                "--target",
                says="Use the stages up to this one (default: the last one; img lock: all).",
                value="STAGE",
                proposes=_stages,
            ),
        ],
        "",
    ),
    "platform": (
        Annotated[
            Texts,
            option(
                "--platform",
                says="Use these platforms (default: this machine's).",
                value="OS/ARCH",
            ),
        ],
        None,
    ),
    "secret": (
        Annotated[
            Texts,
            option(
                "--secret",
                says="Give a secret to RUN steps and downloads.",
                value="id=ID[,src=FILE|,env=NAME]",
            ),
        ],
        None,
    ),
    "ssh": (
        Annotated[
            Texts,
            option(
                "--ssh",
                says="Give an SSH agent or keys to RUN steps and git.",
                value="ID[=SOCKET|KEY]",
            ),
        ],
        None,
    ),
    "build_context": (
        Annotated[
            Texts, option("--build-context", says="Add a named build context.", value="NAME=PLACE")
        ],
        None,
    ),
}

_LIMITS: OptionTable = {
    "memory": (
        Annotated[
            str, option("--memory", "-m", says="Limit the memory of RUN steps.", value="SIZE")
        ],
        "",
    ),
    "memory_swap": (
        Annotated[
            str,
            option(
                "--memory-swap",
                says="Limit memory and swap together (-1: unlimited swap).",
                value="SIZE",
            ),
        ],
        "",
    ),
    "cpus": (
        Annotated[
            str,
            option("--cpus", says="Limit the number of processors of RUN steps.", value="NUMBER"),
        ],
        "",
    ),
    "cpu_shares": (
        Annotated[
            str,
            option(
                "--cpu-shares",
                "-c",
                says="Set the processor weight of RUN steps (default: 1024).",
                value="NUMBER",
            ),
        ],
        "",
    ),
    "cpu_period": (
        Annotated[
            str,
            option(
                "--cpu-period",
                says="Set the period of --cpu-quota (default: 100000).",
                value="MICROSECONDS",
            ),
        ],
        "",
    ),
    "cpu_quota": (
        Annotated[
            str,
            option(
                "--cpu-quota", says="Limit the processor time in each period.", value="MICROSECONDS"
            ),
        ],
        "",
    ),
    "cpuset_cpus": (
        Annotated[
            str,
            option(
                "--cpuset-cpus", says="Run steps on these processors, such as 0-3.", value="LIST"
            ),
        ],
        "",
    ),
    "cpuset_mems": (
        Annotated[
            str,
            option("--cpuset-mems", says="Use memory of these nodes, such as 0,1.", value="LIST"),
        ],
        "",
    ),
    "cgroup_parent": (
        Annotated[
            str,
            option(
                "--cgroup-parent", says="Create the control groups below this one.", value="PATH"
            ),
        ],
        "",
    ),
    "resource": (
        Annotated[
            Texts,
            option(
                "--resource", says="Set one of the limits above by its name.", value="NAME=VALUE"
            ),
        ],
        None,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """The options for builds on a cluster; "" is this machine alone."""

    cluster: str = ""
    store: str = ""
    secrets: bool = False
    OPTIONS: ClassVar[OptionTable] = _CLUSTER

    @classmethod
    def given(cls, *, cluster: str, cluster_store: str, cluster_secrets: bool) -> "ClusterOptions":
        """Return the options; those that are not given are in the environment.

        Raises UsageError for options that would do nothing, as they name no cluster.
        """
        cluster = cluster or os.environ.get("IMG_CLUSTER", "")
        if not cluster and (cluster_store or cluster_secrets):
            raise UsageError(
                f"{'--cluster-store' if cluster_store else '--cluster-secrets'} needs --cluster",
                hint="name a cluster, such as --cluster local:2, or set IMG_CLUSTER",
            )
        return cls(
            cluster=cluster,
            store=cluster_store or os.environ.get("IMG_CLUSTER_STORE", ""),
            secrets=cluster_secrets,
        )

    def on_record(self) -> dict[str, str]:
        """Return the cluster and its store for the record of a build, by names of the API."""
        if not self.cluster:
            return {}
        from img.domain.history.facts import redacted

        return {"cluster": self.cluster, "cluster_store": redacted(self.store)}

    def chosen(
        self, unsupported: Mapping[str, object]
    ) -> "AbstractContextManager[ClusterChoice | None]":
        """Return a context with the cluster, to be entered before any namespaces.

        ``unsupported`` are the values of options that no cluster has, by name. Raises UsageError.
        """
        if not self.cluster:
            return nullcontext()
        from img.entrypoints.cli.clusters import chosen_cluster  # few builds have one

        return chosen_cluster(
            self.cluster, self.store, secrets=self.secrets, unsupported=unsupported
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInputs:
    """The options that say what a build reads; a test compares them with ``OPTIONS``."""

    file: str | None = None
    build_arg: tuple[str, ...] = ()
    target: str = ""
    platform: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    build_context: tuple[str, ...] = ()
    OPTIONS: ClassVar[OptionTable] = _INPUTS

    @classmethod
    def given(cls, **values: Any) -> "BuildInputs":
        """Return the inputs from the values of ``OPTIONS``.

        Empty values of contexts, secrets and agents are left out: buildx ignores --ssh "$UNSET".
        """
        lists = {name: tuple(value or ()) for name, value in values.items() if name in _LISTS}
        for name in ("secret", "ssh", "build_context"):
            lists[name] = tuple(filter(None, lists[name]))
        return cls(**{**values, **lists})


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOptions:
    """The options that limit the resources of steps, as they were typed."""

    by_name: Mapping[str, str]
    resource: tuple[str, ...]  # buildx's NAME=VALUE
    OPTIONS: ClassVar[OptionTable] = _LIMITS

    @classmethod
    def given(cls, *, resource: list[str] | None, **limits: str) -> "LimitOptions":
        """Return the options from the values of ``OPTIONS``."""
        by_name = {name.replace("_", "-"): text for name, text in limits.items()}
        return cls(by_name=by_name, resource=tuple(resource or ()))

    def parse(self) -> Resources:
        """Return the limits. Raises UsageError."""
        return parse_resources(self.by_name, self.resource)

    def by_option(self) -> Mapping[str, object]:
        """Return the values by the options of the command line."""
        options = {f"--{name}": text for name, text in self.by_name.items()}
        return {**options, "--resource": self.resource}
