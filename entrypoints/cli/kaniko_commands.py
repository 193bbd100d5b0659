"""The work of ``img kaniko``: build, push, log in, fetch base images."""

import io
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from img import __version__
from img.domain.digest import Digest
from img.domain.errors import RemoteError, UsageError
from img.domain.kaniko.command_line import Flag, Given, parse
from img.domain.kaniko.flags import EXECUTOR, LOGIN, PUSH, WARMER
from img.domain.kaniko.plan import ExecutorPlan, executor_plan, result_files
from img.domain.kaniko.registries import RegistrySettings, registry_settings
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.media_types import OCI_EMPTY
from img.domain.options.cache import CacheExchange
from img.domain.options.call import Call
from img.domain.options.outputs import OutputOptions
from img.domain.options.secrets import SecretSpec
from img.domain.outputs import CacheOnly, ImageOutput, Output
from img.domain.platform import Platform
from img.domain.pull_policy import PullPolicy
from img.domain.reference import ImageReference
from img.entrypoints.cli.build_outputs import outputs_of
from img.entrypoints.cli.build_request import build_request, platforms
from img.entrypoints.cli.output import say, say_text
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.settings import RegistryAccess, host_platform

if TYPE_CHECKING:
    from img.application.outputs.solved import BuiltImage
    from img.domain.build import BuildRequest
    from img.entrypoints.wiring.root import Container

_EMPTY = b"{}"
_DOCUMENT = Descriptor(media_type=OCI_EMPTY, digest=Digest.of(_EMPTY), size=len(_EMPTY))
_STATE = "img"  # the directory in --cache-dir
_COLUMN = 34
# The words of registries that refuse to move a tag (pkg/executor/push.go).
_IMMUTABLE = (
    "The repository has enabled tag immutability",
    "cannot be overwritten because the tag is immutable",
)


def run_kaniko(session: Session, words: Sequence[str]) -> int:
    """Do what the command line says, and return the exit code. Raises ImgError."""
    commands: Mapping[str, tuple[Sequence[Flag], Callable[[Session, Given], int]]] = {
        "login": (LOGIN, _login),
        "push": (PUSH, _push),
        "warmer": (WARMER, _warm),
    }
    first = words[0] if words else ""
    if first == "version":
        say(f"Kaniko version :  img {__version__}")
        return 0
    flags, command = commands.get(first, (EXECUTOR, None))
    rest = words[1:] if command else words
    given = parse(rest, flags)
    if given.switch("help") or first == "help":
        _show_help(first if command else "executor", flags)
        return 0
    if command:
        return command(session, given)
    return _Execution(session, executor_plan(rest, os.environ)).run()


class _Execution:
    """A run of the executor."""

    def __init__(self, session: Session, plan: ExecutorPlan) -> None:
        self._plan = plan
        self._session = session.with_options(
            state=_warmed_state(plan.cache_dir), backend=None, debug=plan.debug
        )
        if session.state or os.environ.get("IMG_STATE"):
            self._session = replace(self._session, state=session.state)

    def run(self) -> int:
        """Build, push, and write the files about the result; return the exit code."""
        plan = self._plan
        for notice in plan.notices:
            say(f"NOTE: {notice}", error=True)
        outputs = self._outputs(plan.outputs)
        with self._session.open(
            needs=Needs.NOTHING if plan.dry_run else Needs.BUILD,
            progress="plain",
            quiet=plan.quiet,
            access=_access(plan.registries, plan.destinations, plan.cache),
            secrets=tuple(SecretSpec.parse(text) for text in plan.secrets),
        ) as container:
            from img.entrypoints.wiring.kaniko import location_of

            location = location_of(plan.context, container.building.web())
            if plan.dry_run:
                return self._show_plan(container, location)
            _check_pushes(container, plan.checked)
            container.execution.announced().announce()
            first, *others = plan.targets or ("",)
            built = self._built(container, location, first, outputs)
            for target in others:
                self._build(container, location, target, (CacheOnly(),))
        self._write_results(built)
        return 0

    def _built(
        self, container: "Container", location: str, target: str, outputs: Sequence[Output]
    ) -> "BuiltImage | None":
        try:
            return self._build(container, location, target, outputs)
        except RemoteError as error:
            text = error.message
            if not (self._plan.ignores_immutable_tags and any(w in text for w in _IMMUTABLE)):
                raise
            say(f"NOTE: not pushed: {text}", error=True)
            kept = [
                replace(each, push=False) if isinstance(each, ImageOutput) else each
                for each in outputs
            ]
            return self._build(container, location, target, kept)

    def _build(
        self, container: "Container", location: str, target: str, outputs: Sequence[Output]
    ) -> "BuiltImage | None":
        plan = self._plan
        return container.building.build_image()(
            _build_request(plan.build_args, plan.labels, target),
            location=location,
            file=_dockerfile(location, plan.dockerfile),
            outputs=outputs,
            platforms=self._platforms(),
            caches=CacheExchange.parse(plan.cache_from, plan.cache_to, os.environ),
        )

    def _platforms(self) -> tuple[Platform, ...]:
        return platforms([self._plan.platform] if self._plan.platform else [])

    def _outputs(self, texts: Sequence[str]) -> tuple[Output, ...]:
        return outputs_of(
            OutputOptions(
                outputs=texts,
                tags=self._plan.tags,
                annotations=self._plan.annotations,
                squash="new" if self._plan.single_layer else "",
            )
        )

    def _show_plan(self, container: "Container", location: str) -> int:
        from img.entrypoints.cli.checks import answer_call

        asked = Call.parse("outline")
        assert asked is not None
        request = _build_request(self._plan.build_args, (), (*self._plan.targets, "")[0])
        file = _dockerfile(location, self._plan.dockerfile)
        say_text(answer_call(container.building, asked, request, location, file).text)
        return 0

    def _write_results(self, built: "BuiltImage | None") -> None:
        from img.entrypoints.wiring.kaniko import write_result

        if built is None:
            return
        digest = built.target.digest
        names = self._plan.destinations
        for place, text in result_files(self._plan.results, names, digest):
            write_result(place, text)
        if directory := self._plan.results.builder_output:
            lines = [json.dumps({"name": str(name), "digest": str(digest)}) for name in names]
            write_result(os.path.join(directory, "images"), "".join(f"{x}\n" for x in lines))
        say(f"Digest: {digest}", error=True)
        if self._plan.pushes:
            for name in names:
                say(f"Pushed to {name}", error=True)


def _warmed_state(cache_dir: str) -> str | None:
    """Return the state that the warmer filled, None without one that can be used."""
    path = os.path.join(cache_dir, _STATE)
    if not cache_dir or not os.path.isdir(path):
        return None
    if os.access(path, os.W_OK):
        return path
    say(f"NOTE: --cache-dir {cache_dir} has no effect: {path} cannot be written", error=True)
    return None


def _access(
    registries: RegistrySettings,
    destinations: Sequence[ImageReference],
    cache: ImageReference | None = None,
) -> RegistryAccess:
    pushed = {each.domain for each in (*destinations, *([cache] if cache else []))}
    insecure = registries.insecure | (pushed if registries.insecure_pushes else set())
    return RegistryAccess(
        insecure=frozenset(insecure),
        tls_verify=not registries.insecure_pulls,
        verified=frozenset(pushed - insecure),
        more=registries,
    )


def _check_pushes(container: "Container", names: Sequence[ImageReference]) -> None:
    """Upload an empty document to each repository, before a build that may take long."""
    for name in names:
        try:
            container.registries.registry().push_blob(name, _DOCUMENT, io.BytesIO(_EMPTY))
        except RemoteError as error:
            raise RemoteError(
                f"error checking push permissions: {error.message}", hint=error.hint
            ) from None


def _dockerfile(location: str, file: str) -> str | None:
    """Return the Dockerfile: as the path is given, else in the context (resolveDockerfilePath)."""
    if file.startswith(("http://", "https://")):
        return file
    if os.path.exists(file):
        return os.path.abspath(file)
    if os.path.isdir(location):
        inside = os.path.join(location, file)
        return inside if os.path.exists(inside) or file != "Dockerfile" else None
    return file if file != "Dockerfile" else None


def _login(session: Session, given: Given) -> int:
    from img.application.ports.credential_store import Credentials
    from img.domain.reference import registry_of

    if len(given.words) != 1:
        raise UsageError(f"login accepts 1 arg(s), received {len(given.words)}")
    name, password = given.text("username"), given.text("password")
    if not name:
        raise UsageError("username required")
    if bool(password) is given.switch("password-stdin"):
        problem = (
            "only one of --password or --password-stdin may be specified"
            if password
            else "a password must be supplied via --password or --password-stdin"
        )
        raise UsageError(problem)
    if not password:
        password = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not password:
        raise UsageError("password is blank")
    where = registry_of(given.words[0])
    with session.open(needs=Needs.REGISTRY) as container:
        # kaniko stores the login without asking the registry.
        container.registries.credentials().put(where, Credentials(username=name, password=password))
    return 0


def _push(session: Session, given: Given) -> int:
    if len(given.words) != 1:
        raise UsageError(f"push accepts 1 arg(s), received {len(given.words)}")
    names = [ImageReference.parse(text) for text in given.texts("destination")]
    if not names:
        raise UsageError("at least one --destination is required")
    _say_notices(given)
    registries = registry_settings(given, os.environ)
    quiet = given.text("verbosity") in ("error", "fatal", "panic")
    with session.open(
        progress="plain", quiet=quiet, access=_access(registries, names)
    ) as container:
        from img.entrypoints.wiring.kaniko import image_archive

        if not given.switch("skip-push-permission-check"):
            _check_pushes(container, list({name.repository: name for name in names}.values()))
        with image_archive(given.words[0]) as archive:
            loaded = container.images.load_image()(archive)
        if len(loaded) != 1:
            raise UsageError(f"{given.words[0]} has {len(loaded)} images, not one")
        container.images.publish()(loaded[0].target, *names)
    for name in names:
        say(f"Pushed to {name}", error=True)
    return 0


def _warm(session: Session, given: Given) -> int:
    """Pull images, and the bases of a Dockerfile, into the state in the cache directory."""
    images = list(given.texts("image"))
    file = given.text("dockerfile")
    if not (images or file):
        raise UsageError("you must select at least one image to cache or a dockerfilepath to parse")
    _say_notices(given)
    registries = registry_settings(given, os.environ)
    directory = given.text("cache-dir")
    Path(directory).mkdir(parents=True, exist_ok=True)
    wanted = platforms([given.text("customPlatform")] if given.has("customPlatform") else [])
    platform = wanted[0] if wanted else host_platform()
    state = os.path.join(directory, _STATE)
    with session.with_options(state=state, backend=None, debug=False).open(
        progress="plain", access=_access(registries, ())
    ) as container:
        if file:
            images += _bases(container, file, given.texts("build-arg"))
        for name in dict.fromkeys(images):
            reference = ImageReference.parse(name)
            image = container.images.pull_image()(reference, platform)
            say(f"{reference}: {image.target.digest}", error=True)
    return 0


def _say_notices(given: Given) -> None:
    for notice in given.notices():
        say(f"NOTE: {notice}", error=True)


def _show_help(command: str, flags: Sequence[Flag]) -> None:
    name = "executor" if command == "executor" else f"executor {command}"
    lines = [f"Usage: {'warmer' if command == 'warmer' else name} [flags]", "", "Flags:"]
    for flag in flags:
        if flag.old_name_of or not (flag.says or flag.ignored):
            continue
        short = f"-{flag.short}, " if flag.short else "    "
        says = f"No effect: {flag.ignored}." if flag.ignored else flag.says
        lines.append(f"  {short}--{flag.name}".ljust(_COLUMN) + f"  {says}")
    if command == "executor":
        lines += ["", "Commands: login, push, version; the warmer is `warmer`."]
    say_text("\n".join(lines) + "\n")


def _bases(container: "Container", file: str, build_args: Sequence[str]) -> list[str]:
    """Return the names of the base images of all stages of a Dockerfile."""
    location = os.path.dirname(os.path.abspath(file))
    analyse = container.building.analyse()
    source = container.building.contexts().dockerfile(location, file)
    parsed = analyse.parse(source)
    request = _build_request(build_args, ())
    names: list[str] = []
    for number in range(len(parsed.dockerfile.stages)):
        analysis = analyse(parsed, replace(request, target=str(number)))
        names += [base.text for base in analysis.bases]
    return names


def _build_request(
    build_args: Sequence[str], labels: Sequence[str], target: str = ""
) -> "BuildRequest":
    return build_request(
        build_args=build_args,
        labels=labels,
        target=target,
        no_cache=False,
        no_cache_filter=(),
        pull=PullPolicy.NEWER,
        network="",
        host_network=False,
        hosts=(),
        shm_size="",
        ulimits=(),
        contexts=(),
    )
