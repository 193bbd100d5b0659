"""``img bake``."""

from typing import Annotated, Any

import typer

from img.domain.errors import UsageError
from img.entrypoints.cli import commands, options
from img.entrypoints.cli.build_options import ClusterOptions
from img.entrypoints.cli.options import RegistryOptions, Texts, option
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.recording import given_options
from img.entrypoints.cli.session import Session

_SWITCHES_WITH_VALUE = dict.fromkeys(
    ("--no-cache", "--pull", "--check", "--inject-ca", "--lock"), "true"
)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "bake",
        cls=commands.followed_by(
            "[URL] [TARGET]...", foreign=_foreign, implied=_SWITCHES_WITH_VALUE
        ),
        short_help="Build the targets of a bake or compose file.",
    )(bake)


def _foreign() -> Any:
    from img.domain.options.foreign import OF_BAKE

    return OF_BAKE


@shared_options
def bake(
    ctx: typer.Context,
    session: Session,
    registries: RegistryOptions,
    cluster: ClusterOptions,
    targets: Annotated[Texts, typer.Argument(hidden=True)] = None,
    file: Annotated[
        Texts, option("--file", "-f", says="Read this definition. Repeatable.", value="FILE")
    ] = None,
    override: Annotated[
        Texts,
        option("--set", says="Override an attribute of targets.", value="TARGET.KEY=VALUE"),
    ] = None,
    var: Annotated[Texts, option("--var", says="Set a variable.", value="NAME=VALUE")] = None,
    show: Annotated[
        bool, option("--print", says="Print the targets as JSON, do not build.")
    ] = False,
    listed: Annotated[
        str,
        option("--list", says="List targets or variables.", value="[type=]KIND[,format=json]"),
    ] = "",
    push: Annotated[bool, option("--push", says="Push the images.")] = False,
    load: Annotated[bool, option("--load", says="Store the images.")] = False,
    no_cache: Annotated[
        str, option("--no-cache", says="Do not use the cache.", value="[=BOOL]")
    ] = "",
    pull: Annotated[str, option("--pull", says="Always pull base images.", value="[=BOOL]")] = "",
    allow: Annotated[
        Texts, option("--allow", says="Allow a privilege, such as fs.read=PATH.", value="NAME")
    ] = None,
    inject_ca: options.InjectCa = "",
    call: options.CallMethod = "",
    check: Annotated[
        str, option("--check", says="Check the Dockerfiles, do not build.", value="[=BOOL]")
    ] = "",
    lock: Annotated[
        Texts,
        option(
            "--lock",
            says="Write the lock file of the targets, or check, diff or update it; do not build.",
            value="[=HOW]",
        ),
    ] = None,
    locked: options.Locked = False,
    lockfile: options.LockFile = "",
    metadata_file: options.MetadataFile = "",
    jobs: Annotated[
        int,
        option(
            "--jobs",
            says="Build so many targets at a time (default: the number of processors).",
            value="NUMBER",
        ),
    ] = 0,
    on_fail: options.OnFail = "",
    volume: options.Volume = None,
    secret_guard: options.SecretGuard = False,
    verify_base: options.VerifyBase = None,
    source_policy_file: options.SourcePolicy = "",
    progress: options.Progress = "auto",
    provenance: options.Provenance = "",
    sbom: options.Sbom = "",
    policy: Annotated[Texts, typer.Option("--policy", hidden=True)] = None,
    list_targets: Annotated[bool, typer.Option("--list-targets", hidden=True)] = False,
    list_variables: Annotated[bool, typer.Option("--list-variables", hidden=True)] = False,
) -> None:
    """Build the targets of a bake or compose file.

    TARGET is a target or a group, with * ? and [ ] as in paths; without any it is "default". Before
    them, URL is a Git repository, an archive or a file with the definition.
    """
    from img.entrypoints.cli.bake_session import Asked
    from img.entrypoints.cli.baking import run_bake  # the language takes a moment to import

    listed = (
        listed or ("targets" if list_targets else "") or ("variables" if list_variables else "")
    )
    asked = Asked(
        words=tuple(targets or ()),
        files=tuple(file or ()),
        overrides=tuple(override or ()),
        variables=tuple(var or ()),
        show=show,
        listed=listed,
        push=push,
        load=load,
        no_cache=no_cache,
        pull=pull,
        allowed=tuple(each for each in allow or () if each),
        inject_ca=inject_ca,
        call=call,
        check=check,
        lock=tuple(lock or ()),
        locked=locked,
        lockfile=lockfile,
        metadata_file=metadata_file,
        progress=progress,
        provenance=provenance,
        sbom=sbom,
        policies=tuple(policy or ()),
        jobs=jobs,
        on_fail=_without_shell(on_fail),
        volumes=tuple(volume or ()),
        secret_guard=secret_guard,
        cluster=cluster,
        verify_base=tuple(each for each in verify_base or () if each),
        source_policy_file=source_policy_file,
        recorded={**given_options(ctx), **cluster.on_record()},
    )
    if code := run_bake(session, registries, asked):
        raise typer.Exit(code)


def _without_shell(on_fail: str) -> str:
    """Return ``on_fail``. Raises UsageError for a shell: several targets may fail."""
    if on_fail == "shell":
        raise UsageError("--on-fail shell is for img build", hint="use `img debug` after the bake")
    return on_fail
