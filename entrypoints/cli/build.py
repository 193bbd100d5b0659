"""``img build``."""

import atexit
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import UsageError
from img.domain.options.cache import CacheExchange
from img.domain.options.call import Call
from img.domain.options.entitlements import (
    NETWORK_HOST,
    USER_NAMESPACES,
    parse_entitlements,
)
from img.domain.options.network import parse_resolver
from img.domain.options.outputs import OutputOptions
from img.domain.options.pull import parse_pull
from img.domain.options.resources import parse_retries, parse_step_limit
from img.domain.options.secrets import AgentSpec, SecretSpec
from img.domain.outputs import Output
from img.entrypoints.cli import commands, options
from img.entrypoints.cli.build_options import BuildInputs, ClusterOptions, LimitOptions
from img.entrypoints.cli.build_outputs import (
    ResultFiles,
    describe,
    image_id,
    is_nameless,
    outputs_of,
    registry_access,
    summary,
    title_of,
    wants_warnings,
    writes_to_standard_output,
)
from img.entrypoints.cli.build_request import (
    build_request,
    ca_choice,
    platforms,
    with_configured_proxies,
    with_volumes,
)
from img.entrypoints.cli.options import RegistryOptions, Texts, option
from img.entrypoints.cli.output import say
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.recording import (
    entering_failure,
    explaining,
    given_options,
    recorded,
)
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.settings import Surroundings

if TYPE_CHECKING:
    from img.application.outputs.solved import BuiltImage
    from img.application.transfer.pins import Pins
    from img.domain.attestations.wanted import AttestationsWanted
    from img.domain.options.foreign import ForeignOption


# The values of options without one.
_IMPLIED = {"--pull": "true", "--squash": "new", "--inject-ca": "true"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "build",
        cls=commands.followed_by("PATH", foreign=_foreign_options, implied=_IMPLIED),
        short_help="Build an image from a Dockerfile.",
    )(build)


def _foreign_options() -> "Mapping[str, ForeignOption]":
    from img.domain.options.foreign import OF_BUILD

    return OF_BUILD


@shared_options
def build(
    ctx: typer.Context,
    session: Session,
    registries: RegistryOptions,
    inputs: BuildInputs,
    cluster: ClusterOptions,
    *,
    path: Annotated[Texts, typer.Argument(hidden=True)] = None,
    tag: Annotated[
        Texts, option("--tag", "-t", says="Name the image ('name:tag'). Repeatable.", value="NAME")
    ] = None,
    label: Annotated[
        Texts, option("--label", says="Set metadata of the image.", value="KEY=VALUE")
    ] = None,
    add_host: Annotated[
        Texts,
        option("--add-host", says="Add a line to /etc/hosts of RUN steps.", value="NAME:ADDRESS"),
    ] = None,
    network: options.NetworkMode = "",
    dns: options.Servers = None,
    dns_search: options.Domains = None,
    dns_option: options.ResolverOptions = None,
    inject_ca: options.InjectCa = "",
    shm_size: Annotated[
        str, option("--shm-size", says="Set the size of /dev/shm of RUN steps.", value="SIZE")
    ] = "",
    ulimit: Annotated[
        Texts,
        option("--ulimit", says="Set a resource limit of RUN steps.", value="NAME=SOFT[:HARD]"),
    ] = None,
    limits: LimitOptions,
    retry: Annotated[
        int, option("--retry", says="Try a RUN that fails again, so many times.", value="NUMBER")
    ] = 0,
    timeout: Annotated[
        str, option("--timeout", says="Stop a RUN after this time.", value="DURATION")
    ] = "",
    on_fail: options.OnFail = "",
    volume: options.Volume = None,
    explain: Annotated[bool, option("--explain", says="Show why steps were not cached.")] = False,
    secret_guard: options.SecretGuard = False,
    verify_base: options.VerifyBase = None,
    source_policy_file: options.SourcePolicy = "",
    executor: Annotated[
        str | None,
        option(
            "--executor",
            says="Run steps by auto, unshare, runc, crun, chroot or proot.",
            value="NAME",
            proposes=options.one_of("auto", "unshare", "runc", "crun", "chroot", "proot"),
        ),
    ] = None,
    emulate: Annotated[
        str,
        option(
            "--emulate",
            says="Emulate root where one id is mapped: full, ids, fake or off.",
            value="HOW",
            proposes=options.one_of("full", "ids", "fake", "off"),
        ),
    ] = "full",
    no_cache: Annotated[bool, option("--no-cache", says="Do not use the cache.")] = False,
    no_cache_filter: Annotated[
        Texts,
        option("--no-cache-filter", says="Do not use the cache for these stages.", value="STAGE"),
    ] = None,
    cache_from: Annotated[
        Texts,
        option("--cache-from", says="Import a build cache.", value="type=TYPE,…|NAME"),
    ] = None,
    cache_to: Annotated[
        Texts, option("--cache-to", says="Export the build cache.", value="type=TYPE,…|NAME")
    ] = None,
    pull: Annotated[
        str,
        option(
            "--pull",
            says="Pull base images: always, missing (default), newer or never.",
            value="[=WHEN]",
        ),
    ] = "missing",
    output: Annotated[
        Texts,
        option(
            "--output",
            "-o",
            says="Write the result in this form. Repeatable.",
            value="type=TYPE[,…]",
        ),
    ] = None,
    push: Annotated[
        bool, option("--push", says="Push the image (the same as -o type=registry).")
    ] = False,
    no_push: Annotated[bool, typer.Option("--no-push", hidden=True)] = False,
    load: Annotated[
        bool, option("--load", says="Store the image (the same as -o type=image).")
    ] = False,
    annotation: Annotated[
        Texts,
        option("--annotation", says="Add an annotation to the image.", value="[TYPE:]KEY=VALUE"),
    ] = None,
    attest: options.Attest = None,
    provenance: options.Provenance = "",
    sbom: options.Sbom = "",
    attest_as: options.AttestAs = "",
    squash: Annotated[
        str,
        option(
            "--squash",
            says="Make one layer of the new layers (=new), or of =all.",
            value="[=WHICH]",
        ),
    ] = "",
    allow: Annotated[
        Texts,
        option("--allow", says="Allow userns, network.host or buildx.local.delete.", value="NAME"),
    ] = None,
    locked: options.Locked = False,
    lockfile: options.LockFile = "",
    iidfile: Annotated[
        str, option("--iidfile", says="Write the image ID to a file.", value="FILE")
    ] = "",
    metadata_file: options.MetadataFile = "",
    check: Annotated[bool, option("--check", says="Check the Dockerfile, do not build.")] = False,
    call: options.CallMethod = "build",
    progress: options.Progress = "auto",
    no_console: Annotated[
        bool, option("--no-console", says="Show progress in plain lines.")
    ] = False,
    quiet: options.Quiet = False,
) -> "BuiltImage | None":
    """Build an image from a Dockerfile.

    PATH is a directory, the URL of an archive or a Git repository, or - for an archive on stdin.
    """
    begun = time.monotonic()
    asked = Call.parse("check" if check else call or "build")
    file = inputs.file or None  # buildx takes an empty name for the default as well
    location = _location(path or [])
    outputs: tuple[Output, ...] = ()
    allowed = parse_entitlements(_nonempty(allow))
    if asked is None:
        outputs = outputs_of(
            OutputOptions(
                outputs=_nonempty(output),
                tags=tag or (),
                annotations=_nonempty(annotation),
                allowed=allowed,
                push=push,
                no_push=no_push,
                load=load,
                squash=squash,
            )
        )
    request = build_request(
        build_args=with_configured_proxies(inputs.build_arg),
        labels=label or [],
        target=inputs.target,
        no_cache=no_cache,
        no_cache_filter=no_cache_filter or [],
        pull=parse_pull(pull),
        network=network,
        host_network=NETWORK_HOST in allowed,
        hosts=add_host or [],
        shm_size=shm_size,
        ulimits=ulimit or [],
        contexts=inputs.build_context,
    )
    resolver = parse_resolver(
        _nonempty(dns), _nonempty(dns_search), _nonempty(dns_option), request.network
    )
    resources = limits.parse()
    wanted = platforms(inputs.platform)
    caches = CacheExchange.parse(_nonempty(cache_from), _nonempty(cache_to), os.environ)
    if squash and caches.inline:
        raise UsageError("--squash leaves no layers for an inline cache", hint="use type=registry")
    attestations = _attestations(_nonempty(attest), provenance, sbom, attest_as, request.build_args)
    secrets = tuple(map(SecretSpec.parse, inputs.secret))
    agents = tuple(map(AgentSpec.parse, inputs.ssh))
    title = title_of(outputs, tag or ())
    progress = "plain" if no_console else progress
    quiet = quiet or progress == "quiet"  # buildx: "none" alone prints nothing
    # Programs read only the JSON.
    talks = not quiet and asked is None and progress not in ("rawjson", "none")
    if talks:
        say(f"Building {title}", error=True)
        say("Setting up the rootfs... this may take a bit.", error=True)
    with (
        (cluster if asked is None else ClusterOptions()).chosen(
            {
                **limits.by_option(),
                "--dns": _nonempty(dns),
                "--dns-search": _nonempty(dns_search),
                "--dns-option": _nonempty(dns_option),
                "--inject-ca": inject_ca,
                "--emulate": emulate != "full",
                "--volume": volume,
                "mounts of --cache-to": any(each.mounts for each in caches.targets),
                "--allow userns": USER_NAMESPACES in allowed,
                f"--on-fail {on_fail}": on_fail in ("keep", "shell"),
            }
        ) as chosen,
        session.open(
            needs=Needs.BUILD if asked is None else Needs.NOTHING,
            progress=progress,
            quiet=quiet or asked is not None,
            access=registry_access(registries, outputs),
            secrets=secrets,
            agents=agents,
            resources=resources,
            retries=parse_retries(retry),
            step_limit_s=parse_step_limit(timeout),
            surroundings=Surroundings(resolver=resolver, inject_ca=ca_choice(inject_ca)),
            emulate=emulate,
            executor=executor,
            userns=USER_NAMESPACES in allowed,
            pins=_pins(location, lockfile) if locked else None,
            keeps_facts=talks or wants_warnings(metadata_file),
            recorded=asked is None,
            on_fail=on_fail,
            secret_guard=secret_guard,
            verify_base=_nonempty(verify_base),
            source_policy_file=source_policy_file,
            cluster=chosen,
        ) as container,
    ):
        if asked is not None:
            from img.entrypoints.cli.checks import run_call

            method = "check" if check else call
            raise typer.Exit(run_call(container.dockerfiles, method, request, location, file))
        with (
            entering_failure(container, on_fail),
            explaining(container, explain),
            recorded(
                container,
                "build",
                {**given_options(ctx), **cluster.on_record(), "context": location},
            ) as recorder,
        ):
            container.announce()
            results = ResultFiles(
                container.system.output_files(),
                iidfile,
                metadata_file,
                container.system.facts().warnings if wants_warnings(metadata_file) else None,
            )
            results.check()
            built = container.building.build_image()(
                with_volumes(container, request, volume or (), talks=talks),
                location=location,
                file=file,
                outputs=outputs,
                platforms=wanted,
                caches=caches,
                attestations=attestations,
            )
            results.write(built, recorder.id if recorder else "")
            if recorder is not None and built is not None:
                recorder.built("", built.target, [name.familiar for name in built.names])
        closing: list[str] = []
        if talks:
            counts = summary(built, container.system.facts(), time.monotonic() - begun)
            closing = [*describe(built, outputs), counts, f"Successfully built {title}"]
        store_trace = container.kept_trace()
    for line in closing:
        say(line, error=True)
    if (quiet or is_nameless(outputs)) and built and not writes_to_standard_output(outputs):
        say(image_id(built))
    if store_trace is not None:
        atexit.register(store_trace)
    return built


def _attestations(
    attest: list[str], provenance: str, sbom: str, place: str, build_args: Mapping[str, str]
) -> "AttestationsWanted | None":
    given = (*attest, provenance, sbom, place)
    if not any(given) and not any(name.startswith("BUILDKIT_ATTEST_") for name in build_args):
        return None
    from img.domain.attestations.options import parse_attestations  # few builds have them

    return parse_attestations(attest, provenance, sbom, place, build_args)


def _pins(location: str, lockfile: str) -> "Pins":
    from img.entrypoints.cli.lock_files import locked_pins  # few builds are locked

    return locked_pins(location, lockfile, "img lock")


def _nonempty(texts: Sequence[str] | None) -> list[str]:
    """Return the values that are not empty: buildx ignores --cache-from "$UNSET"."""
    return [text for text in texts or () if text]


def _location(path: list[str]) -> str:
    if len(path) != 1:
        raise UsageError("must pass a path to build", hint="such as `img build -t name .`")
    if not path[0]:
        raise UsageError('please specify build context (e.g. "." for the current directory)')
    return path[0]
