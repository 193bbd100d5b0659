"""The builds of the targets of ``img bake``, in several threads."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from img.domain.bake.definition.target_build import TargetBuild
from img.domain.dataclass import dataclass
from img.domain.oci.descriptor import Descriptor
from img.domain.resources import Resources
from img.entrypoints.cli.bake_builds import naming
from img.entrypoints.cli.bake_privileges import PrivilegeCheck

if TYPE_CHECKING:
    from img.application.outputs.solved import BuiltImage
    from img.application.solver.build_group import BuildGroup
    from img.application.usecases.build import SolvedBuild
    from img.entrypoints.wiring.root import Container

_IMAGE = "docker-image://"


@dataclass(frozen=True, slots=True)
class Targets:
    """The builds of targets in several threads."""

    builds: Mapping[str, TargetBuild]
    check_privileges: PrivilegeCheck
    containers: Mapping[str, "Container"]

    @classmethod
    def of(
        cls, builds: Mapping[str, TargetBuild], check: PrivilegeCheck, container: "Container"
    ) -> "Targets":
        """Return the builds; targets with equal secrets and limits share a container."""
        known: dict[tuple[object, ...], Container] = {((), (), Resources()): container}
        found: dict[str, Container] = {}
        for name, one in builds.items():
            key = (one.secrets, one.agents, one.resources)
            if key not in known:
                known[key] = container.with_steps(*key)
            found[name] = known[key]
        return cls(builds, check, found)

    def solve(
        self, name: str, links: Mapping[str, Descriptor], group: "BuildGroup"
    ) -> "SolvedBuild":
        """Do the steps of a target; ``links`` are the images of its linked contexts."""
        one = self.builds[name]
        group = group.under(one.conditions)
        build = self.containers[name].building.build_image().of_target(name, group, links.values())
        places = {context: f"{_IMAGE}{image.digest}" for context, image in links.items()}
        with naming(name), dockerfile_of(one) as file:
            # Links may have changed since the check of all targets.
            self.check_privileges({name: one})
            return build.solve(
                one.with_links(places),
                location=one.location,
                file=file,
                outputs=one.outputs,
                platforms=one.platforms,
                caches=one.caches,
                attestations=one.attestations,
                group=group,
            )

    def deliver(self, name: str, solved: "SolvedBuild") -> "BuiltImage | None":
        """Write the outputs of a target."""
        with naming(name):
            # The outputs of the targets before may have links.
            self.check_privileges({name: self.builds[name]})
            return solved.deliver()


@contextmanager
def dockerfile_of(build: TargetBuild) -> Iterator[str | None]:
    """Enter with the path of the Dockerfile; one in the definition itself gets a file."""
    if build.inline is None:
        yield build.file
        return
    with tempfile.TemporaryDirectory(prefix="img-bake-") as directory:
        path = Path(directory) / "Dockerfile"
        path.write_text(build.inline, encoding="utf-8", errors="surrogateescape")
        yield str(path)
