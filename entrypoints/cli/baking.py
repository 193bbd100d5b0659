"""The work of ``img bake``: print, list, ask or build the targets of a definition."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from img.application.usecases.bake import Baked
from img.application.usecases.read_bake import Surrounding
from img.domain.bake.definition.checks import checked
from img.domain.bake.definition.environment import BadVariable, parse_bool
from img.domain.bake.definition.flags import (
    Flags,
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
from img.domain.context_location import LocalPlace, place_of
from img.domain.dataclass import dataclass
from img.domain.dockerfile.rules.options import CHECK_ARGUMENT
from img.domain.errors import UsageError
from img.domain.options.call import Call
from img.domain.options.entitlements import USER_NAMESPACES
from img.entrypoints.cli.bake_builds import naming, target_build
from img.entrypoints.cli.bake_privileges import PrivilegeCheck
from img.entrypoints.cli.bake_targets import Targets, dockerfile_of
from img.entrypoints.cli.build_outputs import (
    describe,
    file_by_name,
    metadata_of,
    registry_access,
    wants_warnings,
    with_warnings,
    writes_to_standard_output,
)
from img.entrypoints.cli.build_request import ca_choice
from img.entrypoints.cli.checks import answer_call
from img.entrypoints.cli.failures import report
from img.entrypoints.cli.locking import lock_place, locked_pins, recording_lock
from img.entrypoints.cli.options import RegistryOptions
from img.entrypoints.cli.output import say, say_encoded, say_json, say_text
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.settings import Surroundings, host_platform, processors
from img.entrypoints.wiring.baking import definition_files, read_bake_definition

if TYPE_CHECKING:
    pass

_PROGRESS = ("auto", "plain", "tty", "rawjson", "quiet", "none")
_UNKNOWN_IN_CHECKS = "docker-image://scratch"  # the result of a target that is not built


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options as they were given; "" is not given."""

    targets: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    show: bool = False
    listed: str = ""
    push: bool = False
    load: bool = False
    no_cache: str = ""
    pull: str = ""
    allowed: tuple[str, ...] = ()
    call: str = ""
    check: str = ""
    lock: bool = False
    locked: bool = False
    lockfile: str = ""
    metadata_file: str = ""
    progress: str = "auto"
    provenance: str = ""
    sbom: str = ""
    policies: tuple[str, ...] = ()
    inject_ca: str = ""
    jobs: int = 0  # targets at a time; 0: as many as processors

    @property
    def question(self) -> str:
        """The call of all targets, "" for none. Raises UsageError."""
        try:
            checks = bool(self.check) and parse_bool(self.check)
        except BadVariable as error:
            raise UsageError(f"invalid value of --check: {error}") from None
        return "check" if checks else self.call

    @property
    def flags(self) -> Flags:
        """The options that are overrides of all targets. Raises UsageError."""
        return Flags(
            push=self.push,
            load=self.load,
            no_cache=self.no_cache,
            pull=self.pull,
            provenance=self.provenance,
            sbom=self.sbom,
            call=self.question,
            policies=self.policies,
        )


def run_bake(session: Session, registries: RegistryOptions, asked: Asked) -> int:
    """Do what is asked, and return the exit code. Raises BakeError, UsageError …"""
    _check(asked)
    environment = dict(os.environ)
    files = definition_files()
    read = read_bake_definition(files, _warn)
    listing = parse_listing(asked.listed) if asked.listed else None
    around = Surrounding(
        environment=environment,
        home=os.path.expanduser("~"),
        host=host_platform(),
        allowed=asked.allowed,
    )
    definition = read(asked.files, parse_variables(asked.variables), around)
    if listing:
        text = (list_variables if listing.variables else list_targets)(
            definition, as_json=listing.as_json
        )
        if listing.as_json:
            say_encoded(text.removesuffix("\n"))
        else:
            say_text(text)
        return 0
    overrides = (*asked.overrides, *overrides_of(asked.flags))
    made = plan(definition, asked.targets, overrides, environment)
    made = checked(made, files, environment, host_platform())
    if asked.show:
        say_encoded(print_plan(made))
        return 0
    builds = {name: target_build(name, each) for name, each in made.targets.items()}
    check = PrivilegeCheck.of(asked.allowed, overrides, made, files, environment)
    check(builds)
    return _Baking(session, registries, asked, made, builds, check).run()


def _check(asked: Asked) -> None:
    for text in asked.allowed:
        if text != USER_NAMESPACES:
            check_allowed(text)
    if asked.progress not in _PROGRESS:
        raise UsageError(f"invalid progress mode {asked.progress}", hint=", ".join(_PROGRESS))
    if asked.show and asked.listed:
        raise UsageError("--print and --list exclude each other")
    if asked.lock and asked.locked:
        raise UsageError("--lock and --locked exclude each other")
    if asked.jobs < 0:
        raise UsageError(f"invalid number of jobs {asked.jobs}", hint="--jobs 4, for example")
    for name in asked.targets[:1]:
        if not isinstance(place_of(name, is_directory=False), LocalPlace):
            raise UsageError(
                f"the definition {name} is remote, which is not supported yet",
                hint="clone or download it, and name the file with -f",
            )


def _warn(name: str) -> None:
    say(f'WARNING: The "{name}" variable is not set. Defaulting to a blank string.', error=True)


@dataclass(frozen=True, slots=True)
class _Baking:
    session: Session
    registries: RegistryOptions
    asked: Asked
    made: Plan
    builds: Mapping[str, TargetBuild]
    check_privileges: PrivilegeCheck

    def run(self) -> int:
        if self.asked.lock:
            return self._lock()
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

    def _lock(self) -> int:
        with recording_lock(
            self.session,
            lock_place(".", self.asked.lockfile),
            update=bool(self.asked.pull) and parse_bool(self.asked.pull),
            keep=bool(self.asked.targets),
            access=registry_access(self.registries, ()),
            secrets=tuple(each for one in self.builds.values() for each in one.secrets),
            agents=tuple(each for one in self.builds.values() for each in one.agents),
        ) as container:
            for name, one in self.builds.items():
                links = dict.fromkeys(links_of(self.made.targets[name]), _UNKNOWN_IN_CHECKS)
                with naming(name), dockerfile_of(one) as file:
                    container.building.lock_build()(
                        one.with_links(links),
                        location=one.location,
                        file=file,
                        platforms=one.platforms,
                    )
        return 0

    def _build(self) -> int:
        streams = [n for n, each in self.builds.items() if writes_to_standard_output(each.outputs)]
        if len(streams) > 1:
            raise UsageError(f"several targets write to standard output: {', '.join(streams)}")
        outputs = [output for each in self.builds.values() for output in each.outputs]
        with self.session.open(
            needs=Needs.BUILD,
            progress=self.asked.progress,
            quiet=self.asked.progress in ("quiet", "none"),
            access=registry_access(self.registries, outputs),
            userns=USER_NAMESPACES in self.asked.allowed,
            surroundings=Surroundings(inject_ca=ca_choice(self.asked.inject_ca)),
            pins=locked_pins(".", self.asked.lockfile) if self.asked.locked else None,
            keeps_warnings=wants_warnings(self.asked.metadata_file),
        ) as container:
            places = container.system.output_files()
            metadata_file = file_by_name(self.asked.metadata_file)
            if metadata_file:
                places.check_file(metadata_file)
            container.execution.announced().announce()
            targets = Targets.of(self.builds, self.check_privileges, container)
            baked = container.building.bake_targets()(
                self.made.targets,
                targets.solve,
                targets.deliver,
                files=[name for name, each in self.builds.items() if each.writes_files],
                most=self.asked.jobs or processors(),
            )
            if metadata_file and not baked.failed:
                metadata = self._metadata(baked)
                if wants_warnings(metadata_file):
                    metadata |= with_warnings(container.system.warnings().documents())
                with places.file(metadata_file) as file:
                    file.write(json.dumps(metadata, indent=2).encode())
        return self._report(baked)

    @property
    def _talks(self) -> bool:
        return self.asked.progress not in ("rawjson", "quiet", "none")

    def _metadata(self, baked: Baked) -> dict[str, object]:
        return {
            name: {} if name in self.made.linked else metadata_of(built)
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
        if self.session.caller:
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
        with self.session.open(
            needs=Needs.NOTHING, quiet=True, access=registry_access(self.registries, ())
        ) as opened:
            for name, one in self.builds.items():
                asked = Call.parse(",".join([one.call, *fields]))
                assert asked is not None
                links = dict.fromkeys(links_of(self.made.targets[name]), _UNKNOWN_IN_CHECKS)
                with naming(name), dockerfile_of(one) as file:
                    request = one.with_links(links)
                    if links:
                        arguments = {CHECK_ARGUMENT: "skip=UndefinedVar", **request.build_args}
                        request = replace(request, build_args=arguments)
                    answer = answer_call(opened.building, asked, request, one.location, file)
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
