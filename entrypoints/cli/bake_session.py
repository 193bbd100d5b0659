"""The options of ``img bake``, and the container for its work."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import field
from shlex import quote
from typing import TYPE_CHECKING

from img.application.transfer.pins import NoPins, Pins
from img.application.transfer.steady_pins import SteadyPins
from img.domain.bake.definition.environment import BadVariable, parse_bool
from img.domain.bake.definition.files import names_of_environment
from img.domain.bake.definition.flags import Flags
from img.domain.bake.definition.remote import GitAccess, RemoteArguments
from img.domain.context_location import is_web
from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.options.entitlements import USER_NAMESPACES
from img.domain.options.lock import LockMode
from img.domain.outputs import Output
from img.entrypoints.cli.build_options import ClusterOptions
from img.entrypoints.cli.build_outputs import registry_access, wants_warnings
from img.entrypoints.cli.build_request import ca_choice
from img.entrypoints.cli.lock_files import LockFile, lock_place, locked_pins
from img.entrypoints.cli.options import RegistryOptions
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.settings import Surroundings

if TYPE_CHECKING:
    from img.domain.graph.codec import Json
    from img.entrypoints.wiring.root import Container


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options as they were given; "" is not given."""

    words: tuple[str, ...] = ()  # a URL, and targets
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
    inject_ca: str = ""
    call: str = ""
    check: str = ""
    lock: tuple[str, ...] = ()
    locked: bool = False
    lockfile: str = ""
    metadata_file: str = ""
    progress: str = "auto"
    provenance: str = ""
    sbom: str = ""
    policies: tuple[str, ...] = ()
    on_fail: str = ""
    volumes: tuple[str, ...] = ()
    secret_guard: bool = False
    cluster: ClusterOptions = ClusterOptions()
    verify_base: tuple[str, ...] = ()
    source_policy_file: str = ""
    recorded: "dict[str, Json]" = field(default_factory=dict)  # the options, for the record
    jobs: int = 0  # targets at a time; 0: as many as processors

    @property
    def remote(self) -> RemoteArguments:
        """The place of the definition, and the targets."""
        return RemoteArguments.of(self.words)

    @property
    def question(self) -> str:
        """The call of all targets, "" for none. Raises UsageError."""
        return "check" if _boolean("--check", self.check) else self.call

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

    def lock_file(self) -> LockFile | None:
        """Return the lock file of ``--lock``, None without it. Raises UsageError, ContextError."""
        mode = LockMode.parse(self.lock)
        if mode is None:
            return None
        if self.locked:
            raise UsageError("--lock and --locked exclude each other")
        if mode.writes and not mode.update and _boolean("--pull", self.pull):
            mode = LockMode(update=("",))
        place = lock_place(".", self.lockfile)
        return LockFile.open(place, mode, command=self.lock_command, keep=bool(self.remote.targets))

    @property
    def lock_command(self) -> str:
        """The command that writes the lock file."""
        return " ".join(("img bake --lock", *map(quote, self.words)))


def _boolean(option: str, text: str) -> bool:
    """Return the value of an option, False where it was not given. Raises UsageError."""
    try:
        return bool(text) and parse_bool(text)
    except BadVariable as error:
        raise UsageError(f"invalid value of {option}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeSession:
    """The session of a bake, which a remote definition needs before its targets are known."""

    session: Session
    registries: RegistryOptions
    asked: Asked
    pins: Pins
    opened: "Container | None" = None

    @classmethod
    def of(
        cls, session: Session, registries: RegistryOptions, asked: Asked, lock: LockFile | None
    ) -> "BakeSession":
        """Return the session, which is not open yet. Raises ContextError for no lock file."""
        pins: Pins = NoPins()
        if lock is not None:
            pins = lock.pins
        elif asked.locked:
            pins = locked_pins(".", asked.lockfile, asked.lock_command)
        return cls(session=session, registries=registries, asked=asked, pins=SteadyPins(pins))

    def for_definition(self, stack: ExitStack) -> "BakeSession":
        """Return the session, open if the definition is not on this machine."""
        names = self.asked.files or names_of_environment(os.environ)
        if not self.asked.remote.url and not any(map(is_web, names)):
            return self
        asked = self.asked
        builds = not (asked.show or asked.listed or asked.question or asked.lock)
        needs = Needs.BUILD if builds else Needs.NOTHING
        container = stack.enter_context(self._opened(needs, ()))
        return BakeSession(
            session=self.session,
            registries=self.registries,
            asked=asked,
            pins=self.pins,
            opened=container,
        )

    @contextmanager
    def open(self, needs: Needs, outputs: Sequence[Output] = ()) -> Iterator["Container"]:
        """Enter with the container. Raises UsageError, StateError."""
        if self.opened is None:
            with self._opened(needs, outputs) as container:
                yield container
            return
        access = registry_access(self.registries, outputs)
        yield self.opened.with_access(access) if access.insecure else self.opened

    @contextmanager
    def _opened(self, needs: Needs, outputs: Sequence[Output]) -> Iterator["Container"]:
        asked = self.asked
        silent = bool(asked.lock or asked.question) or asked.progress in ("quiet", "none")
        builds = needs is Needs.BUILD
        unsupported = {
            "--inject-ca": asked.inject_ca,
            "--volume": asked.volumes,
            "--allow userns": USER_NAMESPACES in asked.allowed,
            f"--on-fail {asked.on_fail}": asked.on_fail in ("keep", "shell"),
        }
        on_cluster = asked.cluster.chosen(unsupported) if builds else nullcontext()
        with (
            on_cluster as chosen,
            self.session.open(
                needs=needs,
                progress=asked.progress,
                quiet=silent,
                access=registry_access(self.registries, outputs),
                userns=USER_NAMESPACES in asked.allowed,
                pins=self.pins,
                surroundings=Surroundings(inject_ca=ca_choice(asked.inject_ca)),
                keeps_facts=wants_warnings(asked.metadata_file),
                recorded=builds,
                cluster=chosen,
                on_fail=asked.on_fail,
                secret_guard=asked.secret_guard,
                verify_base=asked.verify_base,
                source_policy_file=asked.source_policy_file,
                git_access=GitAccess.of(asked.remote.url, os.environ) if asked.remote.url else None,
            ) as container,
        ):
            yield container
