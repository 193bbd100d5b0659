"""The check of the privileges that the targets of ``img bake`` need."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from img.domain.bake.definition.attributes import Contents
from img.domain.bake.definition.entries import BadEntry
from img.domain.bake.definition.overrides import paths_of_overrides
from img.domain.bake.definition.plan import Plan
from img.domain.bake.definition.privileges import (
    ANY_WRITING,
    Permissions,
    Places,
    Privilege,
    privileges_of,
)
from img.domain.bake.definition.target_build import TargetBuild
from img.domain.dataclass import dataclass
from img.domain.errors import ImgError
from img.entrypoints.cli.bake_builds import target_build


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegeCheck:
    """The privileges that the command line gives: by ``--allow``, and by the paths of ``--set``."""

    permissions: Permissions
    named: Mapping[str, frozenset[Privilege]]  # by --set, for each target
    places: Places
    environment: Mapping[str, str]

    @classmethod
    def of(
        cls,
        allowed: Iterable[str],
        overrides: Iterable[str],
        plan: Plan,
        places: Places,
        environment: Mapping[str, str],
        *,
        remote: bool = False,
    ) -> "PrivilegeCheck":
        """Return the check for the targets of ``plan``. Raises BakeError for a bad variable."""
        texts = tuple(overrides)
        named: dict[str, frozenset[Privilege]] = {}
        for name, contents in plan.targets.items():
            # An override that makes no build by itself gives nothing.
            with suppress(BadEntry, ImgError):
                given = paths_of_overrides(name, texts, environment)
                build = target_build(name, _only(given, contents))
                named[name] = privileges_of(build, places, environment) - {ANY_WRITING}
        permissions = Permissions.of(allowed, environment, remote=remote)
        return cls(permissions=permissions, named=named, places=places, environment=environment)

    def __call__(self, builds: Mapping[str, TargetBuild]) -> None:
        """Check ``builds``, with links as they are now. Raises PrivilegesMissing."""
        needed: set[Privilege] = set()
        for name, build in builds.items():
            own = privileges_of(build, self.places, self.environment)
            needed |= own - self.named.get(name, frozenset())
        self.permissions.require(needed, self.places)


def _only(given: Contents, contents: Contents) -> Contents:
    """Return ``given`` with the tags that its outputs may need."""
    return {**given, "tags": contents.get("tags", [])}
