"""Directories and files of the host that the user gives to steps."""

from abc import abstractmethod
from typing import Protocol

from img.domain.errors import UsageError
from img.domain.options.volumes import VolumeSpec
from img.domain.process import Volume


class VolumeNotFound(UsageError):
    """A volume with a source that cannot be used."""

    def __init__(self, source: str, reason: str, hint: str | None = None) -> None:
        super().__init__(f"--volume {source}: {reason}", hint=hint)
        self.source = source


class HostVolumes(Protocol):
    """The files of the user, outside of the state and of all contexts."""

    @abstractmethod
    def find(self, spec: VolumeSpec) -> Volume:
        """Return the volume as it is now, with the state of its files if it is read-only.

        Links in the path of its source are followed once, here. Raises VolumeNotFound.
        """
