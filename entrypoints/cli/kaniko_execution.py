"""A run of kaniko's executor, and the parts of it that its other commands share."""

import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from img.domain.digest import Digest
from img.domain.errors import RemoteError, StateError
from img.domain.kaniko.plan import ExecutorPlan, result_files
from img.domain.kaniko.registries import RegistrySettings
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.media_types import OCI_EMPTY
from img.domain.options.cache import CacheExchange
from img.domain.options.call import Call
from img.domain.options.outputs import OutputOptions
from img.domain.options.secrets import SecretSpec
from img.domain.outputs import ArchiveOutput, CacheOnly, ImageOutput, Output
from img.domain.platform import Platform
from img.domain.pull_policy import PullPolicy
from img.domain.reference import ImageReference
from img.entrypoints.cli.build_outputs import outputs_of
from img.entrypoints.cli.build_request import build_request, platforms
from img.entrypoints.cli.output import say, say_text
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.settings import RegistryAccess

if TYPE_CHECKING:
    from img.application.outputs.solved import BuiltImage
    from img.application.usecases.build import BuildImage, SolvedBuild
    from img.domain.build import BuildRequest
    from img.entrypoints.wiring.root import Container

_EMPTY = b"{}"
_DOCUMENT = Descriptor(media_type=OCI_EMPTY, digest=Digest.of(_EMPTY), size=len(_EMPTY))
STATE = "img"  # the directory in --cache-dir
# The words of registries that refuse to move a tag (pkg/executor/push.go).
_IMMUTABLE = (
    "The repository has enabled tag immutability",
    "cannot be overwritten because the tag is immutable",
)


class Execution:
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
        with self._session.open(
            needs=Needs.NOTHING if plan.dry_run else Needs.BUILD,
            progress="plain",
            quiet=plan.quiet,
            access=access_of(plan.registries, plan.destinations, plan.cache),
            secrets=tuple(SecretSpec.parse(text) for text in plan.secrets),
        ) as container:
            from img.entrypoints.wiring.kaniko import location_of

            location = location_of(plan.context, container.building.web())
            if plan.dry_run:
                return self._show_plan(container, location)
            check_pushes(container, plan.checked)
            container.execution.announced().announce()
            # One use case for all targets: it reads an archive once.
            build = container.building.build_image()
            with build.lease():
                built, pushed = self._deliver(
                    [
                        self._solved(build, location, target, outputs)
                        for target, outputs in self._wanted()
                    ]
                )
        self._write_results(built, pushed)
        return 0

    def _wanted(self) -> Iterator[tuple[str, Sequence[Output]]]:
        """Yield the targets with their outputs: only the first one becomes an image."""
        first, *others = self._plan.targets
        yield first, self._outputs(self._plan.outputs)
        for target in others:
            yield target, (CacheOnly(),)

    def _solved(
        self, build: "BuildImage", location: str, target: str, outputs: Sequence[Output]
    ) -> "SolvedBuild":
        plan = self._plan
        exports = [plan.cache_to[target]] if target in plan.cache_to else []
        return build.solve(
            request_of(plan.build_args, plan.labels, target),
            location=location,
            file=_dockerfile(location, plan.dockerfile),
            outputs=outputs,
            platforms=self._platforms(),
            caches=CacheExchange.parse(plan.cache_from, exports, os.environ),
        )

    def _deliver(
        self, solved: "Sequence[SolvedBuild]"
    ) -> "tuple[BuiltImage | None, Sequence[ImageReference]]":
        """Write all outputs, after the steps of all targets; return the image and pushed names.

        Each name is pushed by itself if an immutable tag is no failure.
        """
        from img.entrypoints.wiring.kaniko import empty_layout

        plan = self._plan
        first, *others = solved
        if plan.layout:
            empty_layout(plan.layout)
        for each in others:
            each.deliver()
        pushed = plan.destinations if plan.pushes else ()
        if not (plan.ignores_immutable_tags and pushed):
            return first.deliver(), pushed
        (image, *files) = first.outputs
        assert isinstance(image, ImageOutput)
        built = replace(first, outputs=(replace(image, push=False), *files)).deliver()
        done = []
        for name in pushed:
            one = replace(first, outputs=(replace(image, names=(name,)),), caches=CacheExchange())
            if is_pushed(one.deliver):
                done.append(name)
        return built, done

    def _platforms(self) -> tuple[Platform, ...]:
        return platforms([self._plan.platform] if self._plan.platform else [])

    def _outputs(self, texts: Sequence[str]) -> tuple[Output, ...]:
        asked = OutputOptions(
            outputs=texts,
            tags=self._plan.tags,
            squash="new" if self._plan.single_layer else "",
        )
        return tuple(
            # kaniko's layouts have no names.
            replace(each, names=()) if isinstance(each, ArchiveOutput) and not each.tar else each
            for each in outputs_of(asked)
        )

    def _show_plan(self, container: "Container", location: str) -> int:
        from img.entrypoints.cli.checks import answer_call

        asked = Call.parse("outline")
        assert asked is not None
        request = request_of(self._plan.build_args, (), self._plan.targets[0])
        file = _dockerfile(location, self._plan.dockerfile)
        say_text(answer_call(container.dockerfiles, asked, request, location, file).text)
        return 0

    def _write_results(self, built: "BuiltImage | None", pushed: Sequence[ImageReference]) -> None:
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
        for name in pushed:
            say(f"Pushed to {name}", error=True)


def _warmed_state(cache_dir: str) -> str | None:
    """Return the state that the warmer filled, None without one that can be used."""
    path = os.path.join(cache_dir, STATE)
    if not cache_dir or not os.path.isdir(path):
        return None
    why = f"{path} cannot be written"
    try:
        from img.entrypoints.rootless import is_foreign_state

        if not is_foreign_state(Path(path)) and os.access(path, os.W_OK):
            return path
    except StateError as error:
        why = error.message
    say(f"NOTE: --cache-dir {cache_dir} has no effect: {why}", error=True)
    return None


def access_of(
    registries: RegistrySettings,
    destinations: Sequence[ImageReference],
    cache: ImageReference | None = None,
) -> RegistryAccess:
    """Return the access to registries; options for pulls do not concern those of a push."""
    pushed = {each.domain for each in (*destinations, *([cache] if cache else []))}
    insecure = registries.insecure | (pushed if registries.insecure_pushes else set())
    return RegistryAccess(
        insecure=frozenset(insecure),
        tls_verify=not registries.insecure_pulls,
        verified=frozenset(pushed - insecure),
        more=registries,
    )


def is_pushed(push: Callable[[], object]) -> bool:
    """Push, and return False if the registry refuses to move an immutable tag."""
    try:
        push()
    except RemoteError as error:
        if not any(words in error.message for words in _IMMUTABLE):
            raise
        say(f"NOTE: not pushed: {error.message}", error=True)
        return False
    return True


def check_pushes(container: "Container", names: Sequence[ImageReference]) -> None:
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


def request_of(
    build_args: Sequence[str], labels: Sequence[str], target: str = ""
) -> "BuildRequest":
    """Return the request of a build; kaniko asks the registry for each base image."""
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
