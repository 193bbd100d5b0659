"""Options that commands share."""

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.entrypoints.settings import ClusterChoice, RegistryAccess


def one_of(*values: str) -> Callable[[str], list[str]]:
    """Return an ``autocompletion`` function that proposes ``values`` with the typed beginning."""
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]


def option(
    *names: str,
    says: str,
    value: str | None = None,
    proposes: Callable[..., list[str]] | None = None,
    variable: str | None = None,
) -> Any:
    """Return an option without its default in the help; ``proposes`` completes its value."""
    return typer.Option(
        *names,
        help=says,
        metavar=value,
        show_default=False,
        autocompletion=proposes,
        envvar=variable,
        show_envvar=False,
    )


Texts = list[str] | None
CallMethod = Annotated[
    str,
    option(
        "--call",
        says="Print check, outline or targets, do not build.",
        value="METHOD[,format=json]",
        proposes=one_of("build", "check", "outline", "targets"),
    ),
]
NetworkMode = Annotated[
    str,
    option(
        "--network",
        says="Set the network of RUN steps: default, host, none or private.",
        value="MODE",
        proposes=one_of("default", "host", "none", "private"),
    ),
]
Servers = Annotated[
    Texts, option("--dns", says="Use this name server in RUN steps. Repeatable.", value="ADDRESS")
]
Domains = Annotated[
    Texts, option("--dns-search", says="Search this domain in RUN steps.", value="DOMAIN")
]
ResolverOptions = Annotated[
    Texts, option("--dns-option", says="Set a resolver option of RUN steps.", value="OPTION")
]
InjectCa = Annotated[
    str,
    option(
        "--inject-ca",
        says="Let RUN steps trust this machine's CA certificates, and those of FILE.",
        value="[=FILE]",
        variable="IMG_INJECT_CA",
    ),
]
Locked = Annotated[
    bool, option("--locked", says="Use exactly what the lock file has for names (img lock).")
]
LockFile = Annotated[
    str, option("--lockfile", says="Use this lock file (default: img.lock).", value="FILE")
]
MetadataFile = Annotated[
    str, option("--metadata-file", says="Write metadata of the result to a file.", value="FILE")
]
SecretGuard = Annotated[
    bool,
    option("--secret-guard", says="Refuse files with the value of a secret in layers of RUN."),
]
Attest = Annotated[
    Texts,
    option(
        "--attest",
        says="Attest how the image was built (provenance) or its packages (sbom).",
        value="type=TYPE[,…]",
    ),
]
Provenance = Annotated[
    str,
    option(
        "--provenance",
        says="The same as --attest type=provenance.",
        value="true|mode=min|…",
    ),
]
Sbom = Annotated[
    str, option("--sbom", says="The same as --attest type=sbom.", value="true|generator=…")
]
AttestAs = Annotated[
    str,
    option(
        "--attest-as",
        says="Put attestations into an index, or beside the image.",
        value="index|referrer",
        proposes=one_of("index", "referrer"),
    ),
]
VerifyBase = Annotated[
    Texts,
    option(
        "--verify-base",
        says="Refuse base images without a signature by this key. Repeatable.",
        value="key=FILE",
    ),
]
SourcePolicy = Annotated[
    str,
    option(
        "--source-policy-file", says="Apply BuildKit's source policy in this file.", value="FILE"
    ),
]
Volume = Annotated[
    Texts,
    option(
        "-v",
        "--volume",
        says="Mount a directory of the host in RUN; without :ro results are not cached.",
        value="HOST:PATH[:ro]",
    ),
]
OnFail = Annotated[
    str,
    option(
        "--on-fail",
        says="Keep or discard the changes of a RUN that fails, for `img debug`, or open a shell.",
        value="HOW",
        proposes=one_of("keep", "discard", "shell"),
    ),
]
Progress = Annotated[
    str,
    option(
        "--progress",
        says="Show progress as auto, plain, tty, rawjson or quiet.",
        value="HOW",
        proposes=one_of("auto", "plain", "tty", "rawjson", "quiet"),
        variable="BUILDKIT_PROGRESS",
    ),
]
State = Annotated[
    str | None,
    typer.Option("--state", "-s", help="Directory to hold the global state.", metavar="DIR"),
]
SharedStore = Annotated[
    list[str] | None,
    typer.Option(
        "--shared-store",
        help="Use images and layers of a store that others may write. Repeatable.",
        metavar="DIR",
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        "--backend",
        "-b",
        help="Backend for snapshots: auto, overlayfs, naive or fuse.",
        metavar="NAME",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", "-d", help="Enable debug logging.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Do not show progress.")]
Insecure = Annotated[
    bool,
    typer.Option("--insecure-registry", help="Use plain HTTP with the registry in the name."),
]
TlsVerify = Annotated[
    bool,
    typer.Option("--tls-verify/--no-tls-verify", help="Verify the certificates of registries."),
]
AuthFile = Annotated[
    str,
    typer.Option("--authfile", help="Use this credentials file.", metavar="FILE"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """The options for access to registries."""

    insecure: bool = False
    tls_verify: bool = True
    authfile: str = ""

    def access(self, domains: Collection[str], *, new_authfile: bool = False) -> RegistryAccess:
        """Return the access to the registries ``domains``; --insecure-registry is for no others.

        Raises UsageError if the authfile does not exist, unless ``new_authfile``.
        """
        if self.authfile and not new_authfile and not os.path.lexists(self.authfile):
            raise UsageError(
                f"--authfile {self.authfile}: no such file", hint="`img login` makes one"
            )
        return RegistryAccess(
            insecure=frozenset(domains) if self.insecure else frozenset(),
            tls_verify=self.tls_verify,
            auth_file=Path(self.authfile) if self.authfile else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """The options for builds on a cluster; "" is this machine alone."""

    cluster: str = ""
    store: str = ""
    secrets: bool = False

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


CLUSTER: Mapping[str, tuple[object, object]] = {
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInputs:
    """The options that say what a build reads; a test compares them with ``INPUTS``."""

    file: str | None = None
    build_arg: tuple[str, ...] = ()
    target: str = ""
    platform: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    build_context: tuple[str, ...] = ()

    @classmethod
    def given(cls, **values: Any) -> "BuildInputs":
        """Return the inputs from the values of ``INPUTS``.

        Empty values of contexts, secrets and agents are left out: buildx ignores --ssh "$UNSET".
        """
        lists = {name: tuple(value or ()) for name, value in values.items() if name in _LISTS}
        for name in ("secret", "ssh", "build_context"):
            lists[name] = tuple(filter(None, lists[name]))
        return cls(**{**values, **lists})


_LISTS = frozenset({"build_arg", "platform", "secret", "ssh", "build_context"})


def _stages(ctx: typer.Context, incomplete: str) -> list[str]:
    from img.entrypoints.cli.completion import stages  # only shells that complete a line need it

    return stages(ctx, incomplete)


INPUTS: Mapping[str, tuple[object, object]] = {
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
"""The annotation and the default of each option, by the field of ``BuildInputs``."""
