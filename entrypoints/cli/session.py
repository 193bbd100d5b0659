"""A run of a command: its settings, and the container for them."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from img.domain.dataclass import dataclass
from img.domain.errors import StateError, UsageError
from img.domain.resources import Resources
from img.entrypoints.default_state import default_state
from img.entrypoints.settings import (
    FOR_TESTS,
    ClusterChoice,
    RegistryAccess,
    Settings,
    Surroundings,
    byte_size,
    host_platform,
    keep_records,
    shared_stores,
    snapshotter_of,
)

if TYPE_CHECKING:
    from img.application.transfer.pins import Pins
    from img.domain.bake.definition.remote import GitAccess
    from img.domain.options.secrets import AgentSpec, SecretSpec
    from img.domain.policy.policies import Policies
    from img.domain.progress import Event
    from img.entrypoints.wiring.root import Container


class Needs(Enum):
    """The namespaces that a command needs."""

    REGISTRY = "registry"  # no namespaces, and not the state
    NOTHING = "nothing"  # no namespaces
    STATE = "state"  # to read or remove files that belong to the user's subordinate ids
    BUILD = "build"  # to run steps


class Caller(Protocol):
    """The program that a command runs for, instead of a user at a terminal."""

    def on_event(self, event: "Event") -> None:
        """Take a progress event; several threads may call it."""

    def on_open(self, state: Path) -> None:
        """Take the state directory of the command; called when threads are allowed."""


@dataclass(frozen=True, slots=True)
class Session:
    """The options of state, backend and debugging; a command opens the container from them."""

    state: str | None = None
    backend: str | None = None
    debug: bool = False
    caller: Caller | None = None
    command: str = "img"  # such as "img build"
    shared: tuple[str, ...] = ()

    def with_options(
        self,
        *,
        state: str | None,
        backend: str | None,
        debug: bool,
        command: str = "img",
        shared_store: Sequence[str] | None = None,
    ) -> "Session":
        """Return the session with the options after the command, where these are given."""
        return Session(
            state=state or self.state,
            backend=backend or self.backend,
            debug=debug or self.debug,
            caller=self.caller,
            command=command,
            shared=(*self.shared, *(shared_store or ())),
        )

    def state_path(self) -> Path:
        """Return the absolute state directory. Raises StateError."""
        path = Path(self.state or default_state(os.environ))
        try:
            return path.absolute()
        except FileNotFoundError:
            raise StateError(
                f"there is no working directory for the state directory {path} to be in",
                hint="give --state an absolute path",
            ) from None

    @contextmanager
    def open(
        self,
        *,
        needs: Needs = Needs.NOTHING,
        progress: str = "auto",
        quiet: bool = False,
        access: RegistryAccess = RegistryAccess(),
        secrets: "tuple[SecretSpec, ...]" = (),
        agents: "tuple[AgentSpec, ...]" = (),
        resources: Resources | None = None,
        retries: int = 0,
        step_limit_s: float | None = None,
        surroundings: Surroundings = Surroundings(),
        emulate: str = "full",
        executor: str | None = None,
        userns: bool = False,
        pins: "Pins | None" = None,
        keeps_facts: bool = False,
        git_access: "GitAccess | None" = None,
        recorded: bool = False,
        on_fail: str = "",
        secret_guard: bool = False,
        cluster: ClusterChoice | None = None,
        verify_base: Sequence[str] = (),
        source_policy_file: str = "",
    ) -> Iterator["Container"]:
        """Enter namespaces, yield the container for a command, and close it afterwards.

        Raises UsageError, StateError.
        """
        # Before other imports: only a process without threads can enter namespaces.
        from img.entrypoints import rootless

        history = keep_records(os.environ) if recorded else None
        path = self.state_path()
        foreign = needs is not Needs.REGISTRY and rootless.is_foreign_state(path)
        keep_failed = _keeps_failed(on_fail, recorded=history is not None)
        policies = None
        if needs is Needs.BUILD:
            policies = _policies(verify_base, source_policy_file)
        settings = Settings(
            state=path,
            foreign=foreign,
            platform=host_platform(),
            snapshotter=snapshotter_of(self.backend or "auto"),
            store="oci-layout" if foreign else _store(),
            shared_stores=() if foreign else shared_stores(self.shared or _shared(), _store()),
            executor=_user_choice(executor or os.environ.get("IMG_EXECUTOR", "auto"), "executor"),
            registry=os.environ.get("IMG_REGISTRY", "oras"),
            credentials=os.environ.get("IMG_CREDENTIALS", "docker"),
            emulate=emulate,
            userns=userns,
            max_cache=_max_cache(),
            progress=_progress(progress),
            quiet=quiet,
            ci=_ci(),
            traced=_wants_traces(os.environ),
            keeps_facts=keeps_facts,
            command=self.command,
            on_event=self.caller.on_event if self.caller else None,
            debug=self.debug,
            secrets=secrets,
            agents=agents,
            resources=resources or Resources(),
            retries=retries,
            step_limit_s=step_limit_s,
            surroundings=surroundings,
            access=access,
            pins=pins,
            git_access=git_access,
            history=None if foreign else history,
            keep_failed=keep_failed,
            secret_guard=secret_guard,
            cluster=cluster,
            policies=policies,
        )
        rootless.sweep_secrets()
        match needs:
            case Needs.BUILD:
                host = rootless.enter_for_build(settings.executor)
            case Needs.STATE:
                host = rootless.enter_for_state()
            case Needs.NOTHING | Needs.REGISTRY:
                host = rootless.BuildHost(id_map=None)
        from img.entrypoints.logs import configure_logs
        from img.entrypoints.wiring.root import open_container

        configure_logs(debug=settings.debug)

        container = open_container(settings, host)
        if self.caller:
            self.caller.on_open(path)
        try:
            yield container
        except Exception as error:
            container.note_failure(error)
            raise
        else:
            container.settle()
        finally:
            container.close()


def _policies(verify_base: Sequence[str], source_policy_file: str) -> "Policies | None":
    from img.entrypoints.settings_files import may_have_policies

    if not (verify_base or source_policy_file or may_have_policies(os.environ)):
        return None
    from img.entrypoints.policies import policies_of  # few builds have any

    return policies_of(os.environ, verify_base, source_policy_file)


def _shared() -> list[str]:
    """Return the directories in $IMG_SHARED_STORE, separated by colons, else of settings files.

    Raises UsageError.
    """
    given = os.environ.get("IMG_SHARED_STORE")
    if given is not None:
        return [text for text in given.split(":") if text]
    from img.entrypoints.settings_files import settings_files_here

    if not (files := settings_files_here(os.environ)):
        return []
    from img.entrypoints.shared_stores import shared_stores_in  # few users have such files

    return shared_stores_in(files)


def _store() -> str:
    return _user_choice(os.environ.get("IMG_STORE", "files"), "blob store")


def _user_choice(choice: str, title: str) -> str:
    """Return ``choice``. Raises UsageError for adapters that are for tests."""
    if choice in FOR_TESTS:
        raise UsageError(f"{choice} is not a valid {title}", hint="it is for tests")
    return choice


def _max_cache() -> int | None:
    text = os.environ.get("IMG_MAX_CACHE", "")
    return byte_size("IMG_MAX_CACHE", text) if text else None


def _wants_traces(environment: Mapping[str, str]) -> bool:
    """Tell whether the variables of OpenTelemetry's specification ask for traces."""
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    if exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return bool(exporter) or any(environment.get(name) for name in names)


def _ci() -> str:
    if not any(name in os.environ for name in ("IMG_CI", "GITHUB_ACTIONS", "GITLAB_CI")):
        return ""
    from img.domain.ci_log import ci_system  # few commands run there

    system = ci_system(os.environ)
    return system.value if system else ""


def _keeps_failed(on_fail: str, *, recorded: bool) -> bool:
    """Return whether the changes of a RUN that fails are kept. Raises UsageError."""
    if on_fail not in ("", "keep", "discard", "shell"):
        raise UsageError(f"--on-fail {on_fail}: use keep, discard or shell")
    if on_fail in ("keep", "shell") and not recorded:
        raise UsageError(
            f"--on-fail {on_fail} needs a record of the build", hint="leave out IMG_HISTORY=0"
        )
    return recorded and on_fail != "discard"


def _progress(choice: str) -> str:
    if choice != "auto":
        return "quiet" if choice == "none" else choice  # buildx has both names
    return "tty" if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else "plain"
