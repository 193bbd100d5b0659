"""Build requests and base images."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.chain import Layer
from img.domain.oci.config import ImageConfig
from img.domain.platform import Platform
from img.domain.process import Network, Ulimit, Volume
from img.domain.pull_policy import PullPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """The parameters of a build for one platform, besides the Dockerfile and the context."""

    platform: Platform
    implicit_platform: bool = False  # no --platform: a base image of another platform keeps its own
    build_platform: Platform  # the platform of this machine
    build_args: Mapping[str, str] = field(default_factory=dict, hash=False)
    target: str = ""  # a stage; "" is the last one
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()  # names of stages; with them, no_cache is only for these
    pull: PullPolicy = PullPolicy.MISSING
    network: Network = Network.HOST
    host_network: bool = False  # a RUN may use the host's network, for any ``network``
    hosts: tuple[tuple[str, str], ...] = ()  # --add-host: (name, address)
    shm_size: int = 64 << 20  # bytes
    ulimits: tuple[Ulimit, ...] = ()
    contexts: Mapping[str, str] = field(default_factory=dict, hash=False)  # --build-context
    volumes: tuple[Volume, ...] = ()
    multi_platform: bool = False  # names in progress output contain the platform

    def ignores_cache(self, stage: str) -> bool:
        """Return whether the steps of ``stage`` are executed even if they are cached."""
        if self.no_cache_filter:
            return stage.lower() in {name.lower() for name in self.no_cache_filter}
        return self.no_cache


@dataclass(frozen=True, slots=True, order=True)
class BaseName:
    """The name of an image that a build reads, and its platform.

    ``text`` is a full reference, or a transport and its path (``oci-layout://…``).
    """

    text: str
    platform: Platform
    lines: tuple[int, int] | None = field(default=None, compare=False)  # of the first user


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """A base image for one platform, as found in a registry or the store."""

    reference: str  # the full name
    manifest: Digest
    config: ImageConfig
    layers: tuple[Layer, ...] = ()
