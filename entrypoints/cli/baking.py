"""The work of ``img bake``: print, list, ask or build the targets of a definition."""

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from img.application.usecases.bake import Baked
from img.application.usecases.read_bake import Surrounding
from img.domain.bake.definition.checks import checked
from img.domain.bake.definition.flags import (
    check_allowed,
    overrides_of,
    parse_listing,
    parse_variables,
)
from img.domain.bake.definition.plan import Plan, links_of, plan
from img.domain.bake.definition.printing import (
    list_targets,
    list_variables,
    print_plan,
    shown_groups,
    shown_targets,
)
from img.domain.bake.definition.target_build import TargetBuild
from img.domain.dataclass import dataclass
from img.domain.dockerfile.rules.options import CHECK_ARGUMENT
from img.domain.errors import UsageError
from img.domain.options.call import Call
from img.domain.options.entitlements import USER_NAMESPACES
from img.domain.resources import Resources
from img.entrypoints.cli.bake_builds import naming, target_build
from img.entrypoints.cli.bake_privileges import PrivilegeCheck
from img.entrypoints.cli.bake_session import Asked, BakeSession
from img.entrypoints.cli.bake_targets import Targets, dockerfile_of
from img.entrypoints.cli.build_outputs import (
    describe,
    file_by_name,
    metadata_of,
    wants_warnings,
    with_warnings,
    writes_to_standard_output,
)
from img.entrypoints.cli.build_request import found_volumes
from img.entrypoints.cli.checks import answer_call
from img.entrypoints.cli.failures import report
from img.entrypoints.cli.lock_files import LockFile
from img.entrypoints.cli.options import RegistryOptions
from img.entrypoints.cli.output import say, say_encoded, say_json, say_text
from img.entrypoints.cli.recording import recorded
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.settings import host_platform, processors
from img.entrypoints.wiring.baking import definition_files, read_bake_definition

if TYPE_CHECKING:
    from img.application.history.recorder import BuildRecorder
    from img.application.ports.definition_files import DefinitionFiles
    from img.domain.bake.definition.definition import Definition
    from img.domain.bake.definition.flags import Listing
    from img.domain.graph.codec import Json
    from img.entrypoints.wiring.root import Container

_PROGRESS = ("auto", "plain", "tty", "rawjson", "quiet", "none")
_UNKNOWN_IN_CHECKS = "docker-image://scratch"  # the result of a target that is not built

_ON_CLUSTER = 64  # targets at a time, which wait for workers


def run_bake(session: Session, registries: RegistryOptions, asked: Asked) -> int:
    """Do what is asked, and return the exit code. Raises BakeError, UsageError …"""
    _check(asked)
    listing = parse_listing(asked.listed) if asked.listed else None
    lock = asked.lock_file()
    with ExitStack() as stack:
        opening = BakeSession.of(session, registries, asked, lock).for_definition(stack)
        files = definition_files()
        definition = _definition(asked, files, opening.opened)
        if listing:
            stack.close()  # the progress ends before the answer
            _list(definition, listing)
            return 0
        overrides = (*asked.overrides, *overrides_of(asked.flags))
        made = plan(definition, asked.remote.targets, overrides, os.environ)
        made = checked(made, files, os.environ, host_platform())
        if asked.show:
            stack.close()
            say_encoded(print_plan(made))
            return 0
        builds = {name: target_build(name, each) for name, each in made.targets.items()}
        check = PrivilegeCheck.of(
            asked.allowed,
            overrides,
            made,
            files,
            os.environ,
            remote=bool(asked.remote.url),
        )
        check(builds)
        return _Baking(opening, made, builds, check, lock).run()


def _definition(asked: Asked, files: "DefinitionFiles", opened: "Container | None") -> "Definition":
    fetch = opened.dockerfiles.fetch_definition() if opened else None
    read = read_bake_definition(files, _warn, fetch)
    around = Surrounding(
        environment=dict(os.environ),
        home=os.path.expanduser("~"),
        host=host_platform(),
        allowed=asked.allowed,
        url=asked.remote.url,
        command_context=asked.remote.command_context,
    )
    return read(asked.files, parse_variables(asked.variables), around)


def _list(definition: "Definition", listing: "Listing") -> None:
    show = list_variables if listing.variables else list_targets
    text = show(definition, as_json=listing.as_json)
    if listing.as_json:
        say_encoded(text.removesuffix("\n"))
    else:
        say_text(text)


def _check(asked: Asked) -> None:
    for text in asked.allowed:
        if text != USER_NAMESPACES:
            check_allowed(text)
    if asked.progress not in _PROGRESS:
        raise UsageError(f"invalid progress mode {asked.progress}", hint=", ".join(_PROGRESS))
    if asked.show and asked.listed:
        raise UsageError("--print and --list exclude each other")
    if asked.jobs < 0:
        raise UsageError(f"invalid number of jobs {asked.jobs}", hint="--jobs 4, for example")


def _warn(name: str) -> None:
    say(f'WARNING: The "{name}" variable is not set. Defaulting to a blank string.', error=True)


def _note_results(recorder: "BuildRecorder", baked: Baked) -> None:
    for name, built in baked.built.items():
        if built is not None:
            recorder.built(name, built.target, [each.familiar for each in built.names])
    for error in baked.failed.values():
        recorder.failed(error.message)


@dataclass(frozen=True, slots=True)
class _Baking:
    opening: BakeSession
    made: Plan
    builds: Mapping[str, TargetBuild]
    check_privileges: PrivilegeCheck
    lock: LockFile | None

    @property
    def asked(self) -> Asked:
        return self.opening.asked

    def run(self) -> int:
        if self.lock is not None:
            return self._lock(self.lock)
        questions = {name: each for name, each in self.builds.items() if each.call}
        if not questions:
            return self._build()
        if len(questions) < len(self.builds):
            others = ", ".join(name for name in self.builds if name not in questions)
            raise UsageError(
                f"targets that have a call cannot be baked with others: {others}",
                hint="name one kind of them, or set call for all with --call",
            )
        return self._answer()

    def _lock(self, lock: LockFile) -> int:
        secrets = tuple(each for one in self.builds.values() for each in one.secrets)
        agents = tuple(each for one in self.builds.values() for each in one.agents)
        with self.opening.open(Needs.NOTHING) as opened:
            container = opened.with_steps(secrets, agents, Resources())
            for name, one in self.builds.items():
                links = dict.fromkeys(links_of(self.made.targets[name]), _UNKNOWN_IN_CHECKS)
                with naming(name), dockerfile_of(one) as file:
                    container.dockerfiles.lock_build()(
                        one.with_links(links),
                        location=one.location,
                        file=file,
                        platforms=one.platforms,
                    )
            lock.finish(container.system.output_files())
        return 0

    def _build(self) -> int:
        streams = [n for n, each in self.builds.items() if writes_to_standard_output(each.outputs)]
        if len(streams) > 1:
            raise UsageError(f"several targets write to standard output: {', '.join(streams)}")
        if self.asked.cluster.cluster:
            self._refuse_limits()
        outputs = [output for each in self.builds.values() for output in each.outputs]
        with self.opening.open(Needs.BUILD, outputs) as container:
            places = container.system.output_files()
            metadata_file = file_by_name(self.asked.metadata_file)
            if metadata_file:
                places.check_file(metadata_file)
            with recorded(container, "bake", self._options()) as recorder:
                baked = self._bake(container)
                if recorder is not None:
                    _note_results(recorder, baked)
            if metadata_file and not baked.failed:
                metadata = self._metadata(baked, recorder.id if recorder else "")
                if wants_warnings(metadata_file):
                    metadata |= with_warnings(container.system.facts().warnings())
                with places.file(metadata_file) as file:
                    file.write(json.dumps(metadata, indent=2).encode())
        return self._report(baked)

    def _refuse_limits(self) -> None:
        """Raise UsageError for limits of targets, which a cluster does not support."""
        from img.entrypoints.cli.clusters import refuse

        limited = (name for name, each in self.builds.items() if each.resources.options)
        refuse(f"resources of target {name}" for name in limited)
        exported = (
            name for name, one in self.builds.items() for to in one.caches.targets if to.mounts
        )
        refuse(f"mounts of cache-to of target {name}" for name in exported)

    def _options(self) -> "dict[str, Json]":
        contexts: dict[str, Json] = {name: one.location for name, one in self.builds.items()}
        return {**self.asked.recorded, "target": [*self.builds], "contexts": contexts}

    def _bake(self, container: "Container") -> Baked:
        container.announce()
        builds = self.builds
        if self.asked.volumes:
            found = found_volumes(container, self.asked.volumes, talks=self._talks)
            builds = {
                name: replace(each, request=replace(each.request, volumes=found))
                for name, each in builds.items()
            }
        targets = Targets.of(builds, self.check_privileges, container)
        return container.building.bake_targets()(
            self.made.targets,
            targets.solve,
            targets.deliver,
            files=[name for name, each in self.builds.items() if each.writes_files],
            most=self.asked.jobs or (_ON_CLUSTER if container.has_cluster else processors()),
        )

    @property
    def _talks(self) -> bool:
        return self.asked.progress not in ("rawjson", "quiet", "none")

    def _metadata(self, baked: Baked, record: str) -> dict[str, object]:
        """Return the metadata of each target; all of them have one record."""
        return {
            name: metadata_of(None if name in self.made.linked else built, record)
            for name, built in sorted(baked.built.items())
        }

    def _report(self, baked: Baked) -> int:
        for name, built in baked.built.items():
            if self._talks and built is not None:
                say(f"Built target {name}", error=True)
                for line in describe(built, self.builds[name].outputs):
                    say(line, error=True)
        if not baked.failed:
            if self._talks:
                say(f"Successfully baked {', '.join(baked.built)}", error=True)
            return 0
        done = ", ".join(baked.built) or "none"
        left = [f"{name} (needs {cause})" for name, cause in baked.skipped.items()]
        parts = [f"built: {done}", f"failed: {', '.join(baked.failed)}"]
        parts += [f"not built: {', '.join(left)}"] if left else []
        say("; ".join(parts), error=True)
        if self.opening.session.caller:
            raise next(iter(baked.failed.values()))
        codes = [report(error) for error in baked.failed.values()]
        return codes[0]

    def _answer(self) -> int:
        """Answer the questions about all targets.

        Linked targets are not built for this: the variables of their images are unknown.
        """
        code = 0
        document: dict[str, dict[str, object]] = {}
        shown = shown_targets(self.made)
        fields = self.asked.question.split(",")[1:]
        with self.opening.open(Needs.NOTHING) as opened:
            for name, one in self.builds.items():
                asked = Call.parse(",".join([one.call, *fields]))
                assert asked is not None
                links = dict.fromkeys(links_of(self.made.targets[name]), _UNKNOWN_IN_CHECKS)
                with naming(name), dockerfile_of(one) as file:
                    request = one.with_links(links)
                    if links:
                        arguments = {CHECK_ARGUMENT: "skip=UndefinedVar", **request.build_args}
                        request = replace(request, build_args=arguments)
                    answer = answer_call(opened.dockerfiles, asked, request, one.location, file)
                if asked.json:
                    document[name] = {"build": shown[name], asked.method: answer.document}
                else:
                    described = self.made.targets[name].get("description")
                    say(name)
                    say_text(f"{described}\n\n" if described else "\n")
                    say_text(answer.text)
                code = code or answer.status(asked)
        if document:
            say_json({"group": shown_groups(self.made), "target": document}, indent=2)
        return code
