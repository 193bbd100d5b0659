"""The build that a target describes, parsed."""

from collections.abc import Hashable, Mapping
from dataclasses import replace

from img.domain.attestations.wanted import NO_ATTESTATIONS, AttestationsWanted
from img.domain.build import BuildRequest
from img.domain.dataclass import dataclass
from img.domain.graph.lower_run import proxy_variables
from img.domain.options.cache import CacheExchange, LocalCache
from img.domain.options.contexts import parse_named_context
from img.domain.options.secrets import AgentSpec, SecretSpec
from img.domain.outputs import Output, is_written_here
from img.domain.platform import Platform
from img.domain.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetBuild:
    """The build of one target; linked contexts have the place ``target:NAME``."""

    request: BuildRequest
    location: str
    file: str | None
    inline: str | None  # the Dockerfile itself
    outputs: tuple[Output, ...]
    platforms: tuple[Platform, ...]
    caches: CacheExchange
    secrets: tuple[SecretSpec, ...]
    agents: tuple[AgentSpec, ...]
    resources: Resources
    entitlements: tuple[str, ...]
    call: str
    attestations: AttestationsWanted = NO_ATTESTATIONS

    @property
    def writes_files(self) -> bool:
        """True if an output or a cache is a file or directory of this machine."""
        caches = (target.place for target in self.caches.targets)
        return any(map(is_written_here, self.outputs)) or any(
            isinstance(place, LocalCache) for place in caches
        )

    @property
    def conditions(self) -> tuple[Hashable, ...]:
        """Settings that steps may depend on, and that cache keys do not contain."""
        request = self.request
        proxies = proxy_variables(request.build_args)
        return (self.secrets, self.agents, self.resources, request.hosts, proxies)

    def with_links(self, places: Mapping[str, str]) -> BuildRequest:
        """Return the request with the places of its linked contexts."""
        found = dict(parse_named_context(f"{name}={place}") for name, place in places.items())
        return replace(self.request, contexts={**self.request.contexts, **found})
