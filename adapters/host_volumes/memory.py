"""Volumes in memory, for tests."""

from collections.abc import Mapping

from img.application.ports.host_volumes import HostVolumes, VolumeNotFound
from img.domain.options.volumes import VolumeSpec
from img.domain.process import Volume


class MemoryVolumes(HostVolumes):
    """Volumes by their sources, with the state of their files."""

    def __init__(self, states: Mapping[str, str]) -> None:
        self.states = dict(states)

    def find(self, spec: VolumeSpec) -> Volume:
        if spec.source not in self.states:
            raise VolumeNotFound(spec.source, "No such file or directory", "create it first")
        return Volume(
            source=spec.source,
            target=spec.target,
            read_only=spec.read_only,
            device=1,
            inode=1,
            state=self.states[spec.source] if spec.read_only else "",
        )
