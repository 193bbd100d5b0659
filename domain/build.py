"""What is asked of a build, and the images it starts from."""

from collections.abc import Mapping
from dataclasses import field

from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.oci.chain import Layer
from img.domain.oci.config import ImageConfig
from img.domain.platform import Platform
from img.domain.process import Network, Ulimit
from img.domain.pull_policy import PullPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """All that decides a build of one platform, besides the Dockerfile and the files."""

    platform: Platform
    implicit_platform: bool = False  # no --platform: an image of another one keeps its own
    build_platform: Platform  # of this machine
    build_args: Mapping[str, str] = field(default_factory=dict, hash=False)
    target: str = ""  # a stage's name; "" is the last stage
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()  # names of stages; with them no_cache means only these
    pull: PullPolicy = PullPolicy.MISSING
    network: Network = Network.HOST
    host_network: bool = False  # a RUN may ask for the host's, whatever ``network`` is
    hosts: tuple[tuple[str, str], ...] = ()  # --add-host: (name, address)
    shm_size: int = 64 << 20  # bytes
    ulimits: tuple[Ulimit, ...] = ()
    contexts: Mapping[str, str] = field(default_factory=dict, hash=False)  # --build-context
    multi_platform: bool = False  # progress names tell the platform

    def ignores_cache(self, stage: str) -> bool:
        """Tell whether the steps of ``stage`` are to be done even if they were done before."""
        if self.no_cache_filter:
            return stage.lower() in {name.lower() for name in self.no_cache_filter}
        return self.no_cache


@dataclass(frozen=True, slots=True, order=True)
class BaseName:
    """An image that a build reads, and for which platform.

    ``text`` is a full reference, or a transport and what it names (``oci-layout://…``).
    """

    text: str
    platform: Platform
    lines: tuple[int, int] | None = field(default=None, compare=False)  # of who asks first


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """An image that was found: what its registry or store says of one platform of it."""

    reference: str  # the full name
    manifest: Digest
    config: ImageConfig
    layers: tuple[Layer, ...] = ()
