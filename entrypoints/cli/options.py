"""Options that commands share."""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.entrypoints.settings import RegistryAccess


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
OptionTable = Mapping[str, tuple[object, object]]
"""The annotation and the default of each option of a group, by its parameter."""

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
