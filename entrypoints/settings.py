"""What flags and environment decide."""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.platform import Platform
from img.domain.resources import Resources

if TYPE_CHECKING:
    from img.domain.options.secrets import AgentSpec, SecretSpec

# The seed's names, and those of img's later versions, for the snapshotters they mean.
_BACKENDS = {
    "auto": "auto",
    "naive": "naive",
    "native": "naive",
    "overlayfs": "overlay",
    "overlay": "overlay",
    "fuse": "fuse",
    "fuse-overlayfs": "fuse",
}

FOR_TESTS = frozenset({"memory", "scripted"})  # adapters that programs may choose, but no user


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """What the command line says of registries; files say the rest (docs/registry.md)."""

    insecure: frozenset[str] = frozenset()  # hosts that may lack good certificates, or TLS
    tls_verify: bool = True  # False: all of them may
    auth_file: Path | None = None  # in place of the usual ones

    def is_insecure(self, name: str) -> bool:
        """Tell it of a host, or of a repository with its host."""
        return not self.tls_verify or name.partition("/")[0] in self.insecure


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this run of img is to work."""

    state: Path  # absolute
    foreign: bool = False  # the state is another user's, of whose images some can be read
    platform: Platform
    snapshotter: str = "auto"
    executor: str = "auto"  # or unshare, runc, crun, chroot, proot
    userns: bool = False  # what a RUN starts may make user namespaces
    emulate: str = "full"  # ids, fake, off: how much of root where there is one id
    store: str = "files"  # or oci-layout
    registry: str = "oras"
    credentials: str = "docker"
    max_cache: int | None = None  # bytes for what no image needs; None: img decides, 0: any
    progress: str = "auto"  # plain, tty, quiet, rawjson
    quiet: bool = False  # whatever ``progress`` is
    debug: bool = False
    secrets: "tuple[SecretSpec, ...]" = ()
    agents: "tuple[AgentSpec, ...]" = ()
    resources: Resources = Resources()  # what a step may use
    access: RegistryAccess = RegistryAccess()


def byte_size(name: str, text: str) -> int:
    """Return the bytes that ``text`` means, such as 20GB. Raises UsageError, with ``name``."""
    from img.domain.go.quantities import BadQuantity, parse_byte_size

    try:
        size = parse_byte_size(text)
    except BadQuantity:
        size = -1
    if size < 0:
        raise UsageError(f'{name}: "{text}" is no size', hint="such as 500MB, 20GB or 0")
    return size


def snapshotter_of(backend: str) -> str:
    """Return the snapshotter that a ``--backend`` means; other packages may have more."""
    return _BACKENDS.get(backend, backend)


def default_state(environment: Mapping[str, str]) -> Path:
    """Return the state directory: $IMG_STATE, $XDG_DATA_HOME/img, ~/.local/share/img, /tmp/img-UID.

    Any user can make the last one first: whose it is has to be checked.
    """
    if state := environment.get("IMG_STATE"):
        return Path(state)
    if data := environment.get("XDG_DATA_HOME", "").partition(os.pathsep)[0]:
        return Path(data, "img")
    if home := _own_home(environment.get("HOME", "")):
        return Path(home, ".local", "share", "img")
    return Path(f"/tmp/img-{os.geteuid()}")


def _own_home(home: str) -> str:
    """Return ``home``; that of the database of users if it belongs to another user.

    So it is under ``sudo -E``, and in the containers of GitHub's workflows.
    """
    try:
        owner = os.stat(home).st_uid
    except OSError:
        return home
    if owner in (0, os.geteuid()):
        return home
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return home


def host_platform() -> Platform:
    """Return the platform of this machine."""
    return Platform(sys.platform, platform.machine()).normalized()
