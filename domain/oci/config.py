"""The configuration of an image (image-spec config.md)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime

from img.domain.dataclass import dataclass
from img.domain.oci.chain import DiffID
from img.domain.platform import Platform, preference

# The years 1 to 9999 in seconds since 1970: the range of RFC 3339.
FIRST_SECOND = -62135596800
LAST_SECOND = 253402300799


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A health check; times in nanoseconds, 0 if not given."""

    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A history entry (image-spec config.md, "history")."""

    created: str = ""  # RFC 3339
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


FROM_NO_INSTRUCTION = "buildkit.exporter.image.v0"
"""The comment in the history of layers that no instruction made (BuildKit exporter)."""


def fitting_history(history: Sequence[History], layers: int) -> tuple[History, ...]:
    """Return ``history`` with as many items that have a layer as there are ``layers``.

    Programs pair items and layers, and containers/image refuses an image where they do not fit.
    Surplus items lose their layer. Items without a command follow for missing ones (BuildKit
    exporter/containerimage/writer.go, normalizeLayersAndHistory, adds them at the end of the new
    history, where the pairs of all later layers are wrong).
    """
    layered = [index for index, item in enumerate(history) if not item.empty_layer]
    items = list(history)
    for index in layered[layers:]:
        items[index] = replace(items[index], empty_layer=True)
    missing = History(comment=FROM_NO_INSTRUCTION)
    return (*items, *[missing] * (layers - len(layered)))


def squashed_history(history: Sequence[History], kept: int) -> tuple[History, ...]:
    """Return ``history`` with one layer, if any, for all the items after the first ``kept``.

    The last item that had a layer has it.
    """
    before, after = history[:kept], list(history[kept:])
    layered = [i for i, item in enumerate(after) if not item.empty_layer]
    for i in layered[:-1]:
        after[i] = replace(after[i], empty_layer=True)
    return (*before, *after)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """The defaults of containers (image-spec config.md, "config"); None means "not given"."""

    user: str = ""
    exposed_ports: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: tuple[str, ...] = ()
    working_dir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    stop_signal: str = ""
    shell: tuple[str, ...] = ()  # Docker's
    healthcheck: Health | None = None  # Docker's
    on_build: tuple[str, ...] = ()  # Docker's
    args_escaped: bool = False  # Docker's, deprecated; BuildKit still writes it
    unknown: Mapping[str, object] = field(default_factory=dict, hash=False)

    def with_env(self, pairs: Iterable[tuple[str, str]]) -> "RunConfig":
        """Return the config with some variables set, each in its old place if it has one."""
        known, new = dict(self.env), dict(pairs)
        changed = {name: new.pop(name) for name in list(new) if name in known}
        env = self.env
        if changed:
            env = tuple([(name, changed.pop(name, value)) for name, value in env])
        return replace(self, env=(*env, *new.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """The configuration document of an image (image-spec config.md)."""

    platform: Platform
    run: RunConfig = field(default_factory=RunConfig)
    diff_ids: tuple[DiffID, ...] = ()
    history: tuple[History, ...] = ()
    created: str = ""  # RFC 3339
    author: str = ""
    os_features: tuple[str, ...] = ()
    unknown: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def needs(self) -> Platform:
        """The platform, with the required features of the operating system."""
        return replace(self.platform, os_features=self.os_features)

    def suits(self, wanted: Platform) -> bool:
        """Return whether the image is for ``wanted``; one without an architecture is for any."""
        return not self.platform.architecture or preference(wanted, self.needs) is not None


def moment_of(text: str) -> datetime | None:
    """Return a time of a config, None if it is not given."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
