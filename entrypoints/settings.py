"""Settings from options and the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.platform import Platform
from img.domain.resources import Resources

if TYPE_CHECKING:
    from img.application.ports.cluster_launcher import StartCluster
    from img.application.transfer.pins import Pins
    from img.domain.bake.definition.remote import GitAccess
    from img.domain.history.limits import KeepRecords
    from img.domain.kaniko.registries import RegistrySettings
    from img.domain.options.secrets import AgentSpec, SecretSpec
    from img.domain.policy.policies import Policies
    from img.domain.process import Resolver
    from img.domain.progress import Event

# Names of backends in img 0.5 and later → snapshotters.
_BACKENDS = {
    "auto": "auto",
    "naive": "naive",
    "native": "naive",
    "overlayfs": "overlay",
    "overlay": "overlay",
    "fuse": "fuse",
    "fuse-overlayfs": "fuse",
}

FOR_TESTS = frozenset({"memory", "scripted"})  # adapters that users cannot choose


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """Options for registries; configuration files add others (docs/registry.md)."""

    insecure: frozenset[str] = frozenset()  # hosts that may have an invalid certificate or no TLS
    tls_verify: bool = True  # False: as insecure, for all hosts
    verified: frozenset[str] = frozenset()  # hosts that tls_verify=False does not concern
    auth_file: Path | None = None  # replaces the default files
    more: RegistrySettings | None = None  # of kaniko's command line

    def is_insecure(self, name: str) -> bool:
        """Return whether the host of ``name``, a host or repository, may be insecure."""
        host = name.partition("/")[0]
        return host in self.insecure or not (self.tls_verify or host in self.verified)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Settings of RUN steps that decide neither what a step is nor its cache key."""

    resolver: Resolver | None = None  # None: the host's
    # The CA certificates to add: "" for none, "true" for those that img trusts, else a file with
    # more of them.
    inject_ca: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterChoice:
    """A cluster that runs steps; it is started, or connected to, for the first of them."""

    name: str  # the text of --cluster
    store: str  # the text of --cluster-store
    start: StartCluster
    secrets: bool = False  # workers get those of their steps
    mount_limit: int = 0  # bytes of a cache mount that workers keep in the store
    ends: bool = False  # it ends with the command
    patience_s: float = 60.0  # for a worker that can run a step: some join when they are needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one run."""

    state: Path  # absolute
    foreign: bool = False  # the state is another user's, with images for all to read
    platform: Platform
    snapshotter: str = "auto"
    executor: str = "auto"  # or unshare, runc, crun, chroot, proot
    userns: bool = False  # RUN steps may create user namespaces
    emulate: str = "full"  # or ids, fake, off: emulation of root where one id is mapped
    store: str = "files"  # or oci-layout
    shared_stores: tuple[Path, ...] = ()  # layouts or states of others, which are only read
    registry: str = "oras"
    credentials: str = "docker"
    max_cache: int | None = None  # bytes for data that no image needs; None: img decides, 0: any
    progress: str = "auto"  # plain, tty, quiet, rawjson
    quiet: bool = False  # overrides ``progress``
    ci: str = ""  # github or gitlab: plain progress has sections for it
    traced: bool = False  # progress is sent to a collector as well (OpenTelemetry)
    keeps_facts: bool = False  # for the last lines and the metadata of a build
    command: str = "img"  # such as "img build"
    on_event: Callable[[Event], None] | None = None  # overrides both
    debug: bool = False
    secrets: tuple[SecretSpec, ...] = ()
    agents: tuple[AgentSpec, ...] = ()
    resources: Resources = Resources()  # limits of steps
    retries: int = 0  # of a RUN that fails
    step_limit_s: float | None = None  # for each try of a RUN
    surroundings: Surroundings = Surroundings()
    access: RegistryAccess = RegistryAccess()
    history: KeepRecords | None = None  # the limits of the history; None: builds leave no record
    keep_failed: bool = False  # keep the changes of a RUN that fails
    secret_guard: bool = False  # refuse layers of a RUN that have the value of one of its secrets
    pins: Pins | None = None  # fixed answers for names of images, URLs and git refs
    policies: Policies | None = None  # for the sources and the images of builds
    git_access: GitAccess | None = None  # for the host of a remote bake definition
    cluster: ClusterChoice | None = None  # None: steps run on this machine


def shared_stores(given: Sequence[str], store: str) -> tuple[Path, ...]:
    """Return the directories with the blobs of the shared stores. Raises UsageError.

    ``store`` is the kind of the user's own store.
    """
    if given and store not in ("files", "oci-layout"):
        raise UsageError(f"--shared-store does not work with the store {store}")
    found = []
    for text in given:
        root = Path(text).absolute()
        layout = root / "layout"  # of a state with IMG_STORE=oci-layout
        places = [place for place in (layout, root) if os.path.isdir(place / "blobs")]
        if not places:
            raise UsageError(
                f"--shared-store {text}: no OCI layout and no state of img",
                hint="name a directory with the directory blobs",
            )
        found.append(places[0])
    return tuple(found)


def byte_size(name: str, text: str) -> int:
    """Return the size ``text``, such as 20GB, in bytes. Raises UsageError, which has ``name``."""
    from img.domain.go.quantities import BadQuantity, parse_byte_size

    try:
        size = parse_byte_size(text)
    except BadQuantity:
        size = -1
    if size < 0:
        raise UsageError(f'{name}: "{text}" is no size', hint="such as 500MB, 20GB or 0")
    return size


def keep_records(environment: Mapping[str, str]) -> KeepRecords | None:
    """Return the limits of the history, None if builds leave no record. Raises UsageError.

    $IMG_HISTORY is the number of records, $IMG_HISTORY_AGE their longest age, such as 240h.
    """
    from img.domain.history.limits import KeepRecords  # only builds are recorded

    keep = KeepRecords()
    count, age = environment.get("IMG_HISTORY", ""), environment.get("IMG_HISTORY_AGE", "")
    if count:
        if not count.isdecimal():
            raise UsageError(f'IMG_HISTORY: "{count}" is no number', hint="such as 100, or 0")
        keep = replace(keep, count=int(count))
    if age:
        from img.domain.go.quantities import BadQuantity, parse_duration

        try:
            keep = replace(keep, seconds=parse_duration(age) / 1e9)
        except BadQuantity:
            raise UsageError(
                f'IMG_HISTORY_AGE: "{age}" is no duration', hint="such as 240h"
            ) from None
    return keep if keep.count else None


def snapshotter_of(backend: str) -> str:
    """Return the snapshotter for ``--backend``; a name may be another package's."""
    return _BACKENDS.get(backend, backend)


def processors() -> int:
    """Return the number of processors that this process may use, but at least two."""
    return max(2, len(os.sched_getaffinity(0)))


def host_platform() -> Platform:
    """Return the platform of this machine."""
    return Platform(sys.platform, os.uname().machine).normalized()
