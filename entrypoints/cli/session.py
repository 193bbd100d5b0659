"""One run of the command: its settings, and the container made from them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from img.domain.dataclass import dataclass
from img.domain.errors import StateError, UsageError
from img.domain.resources import Resources
from img.entrypoints.settings import (
    FOR_TESTS,
    RegistryAccess,
    Settings,
    byte_size,
    default_state,
    host_platform,
    snapshotter_of,
)

if TYPE_CHECKING:
    from img.domain.options.secrets import AgentSpec, SecretSpec
    from img.entrypoints.wiring.root import Container


class Needs(Enum):
    """What a command needs of the namespaces."""

    REGISTRY = "registry"  # nothing, nor of the state
    NOTHING = "nothing"
    STATE = "state"  # to read or remove files that belong to the user's subordinate ids
    BUILD = "build"  # to run steps


@dataclass(slots=True)
class Session:
    """What the options before the command said; a command adds its own and opens the container."""

    state: str | None = None
    backend: str | None = None
    debug: bool = False

    def state_path(self, state: str | None) -> Path:
        """Return the absolute state directory, where the option after the command is ``state``.

        Raises StateError.
        """
        chosen = state or self.state
        path = Path(chosen) if chosen else default_state(os.environ)
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
        state: str | None,
        backend: str | None,
        debug: bool,
        needs: Needs = Needs.NOTHING,
        progress: str = "auto",
        quiet: bool = False,
        access: RegistryAccess = RegistryAccess(),
        secrets: "tuple[SecretSpec, ...]" = (),
        agents: "tuple[AgentSpec, ...]" = (),
        resources: Resources | None = None,
        emulate: str = "full",
        executor: str | None = None,
        userns: bool = False,
    ) -> Iterator["Container"]:
        """Enter with the container for a command, and close it after.

        Raises UsageError, StateError.
        """
        # First of all: the namespaces take only a process without threads.
        from img.entrypoints import rootless

        path = self.state_path(state)
        foreign = needs is not Needs.REGISTRY and rootless.is_foreign_state(path)
        settings = Settings(
            state=path,
            foreign=foreign,
            platform=host_platform(),
            snapshotter=snapshotter_of(backend or self.backend or "auto"),
            store="oci-layout" if foreign else _store(),
            executor=_real(executor or os.environ.get("IMG_EXECUTOR", "auto"), "executor"),
            registry=os.environ.get("IMG_REGISTRY", "oras"),
            credentials=os.environ.get("IMG_CREDENTIALS", "docker"),
            emulate=emulate,
            userns=userns,
            max_cache=_max_cache(),
            progress=_progress(progress),
            quiet=quiet,
            debug=debug or self.debug,
            secrets=secrets,
            agents=agents,
            resources=resources or Resources(),
            access=access,
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
        from img.entrypoints.wiring.root import close_container, open_container

        configure_logs(debug=settings.debug)

        container = open_container(settings, host)
        try:
            yield container
        finally:
            close_container(container, host)


def _store() -> str:
    return _real(os.environ.get("IMG_STORE", "files"), "blob store")


def _real(choice: str, title: str) -> str:
    """Return ``choice``. Raises UsageError for those that keep nothing, or pretend to run it."""
    if choice in FOR_TESTS:
        raise UsageError(f"{choice} is not a valid {title}", hint="it is for tests")
    return choice


def _max_cache() -> int | None:
    text = os.environ.get("IMG_MAX_CACHE", "")
    return byte_size("IMG_MAX_CACHE", text) if text else None


def _progress(choice: str) -> str:
    if choice != "auto":
        return "quiet" if choice == "none" else choice  # buildx has both names
    return "tty" if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else "plain"
