"""Fixed meanings of names of the network in a build.

Each place that asks a registry, a web server or a git repository what a name stands for asks its
``Pins`` first, and notes the answer with it.
"""

from abc import abstractmethod
from typing import Protocol

from img.domain.digest import Digest
from img.domain.git_commit import GitCommit
from img.domain.platform import Platform
from img.domain.reference import ImageReference


class Pins(Protocol):
    """Fixed answers for names. Several threads may use it."""

    @abstractmethod
    def image(self, name: ImageReference, platform: Platform) -> Digest | None:
        """Return the manifest of the image, None for that of the registry. Raises NotLocked."""

    @abstractmethod
    def url(self, url: str) -> Digest | None:
        """Return the checksum of a download, None for any. Raises NotLocked."""

    @abstractmethod
    def commit(self, remote: str, ref: str) -> GitCommit | None:
        """Return the commit of a ref, None for that of the repository. Raises NotLocked."""

    @abstractmethod
    def note_image(self, name: ImageReference, platform: Platform, manifest: Digest) -> None:
        """Take the manifest that is used for the name."""

    @abstractmethod
    def note_url(self, url: str, checksum: Digest) -> None:
        """Take the checksum of a download that is used."""

    @abstractmethod
    def note_commit(self, remote: str, ref: str, commit: GitCommit) -> None:
        """Take the commit that is used for a ref."""


class NoPins(Pins):
    """Names stand for what registries and servers say."""

    def image(self, name: ImageReference, platform: Platform) -> Digest | None:
        return None

    def url(self, url: str) -> Digest | None:
        return None

    def commit(self, remote: str, ref: str) -> GitCommit | None:
        return None

    def note_image(self, name: ImageReference, platform: Platform, manifest: Digest) -> None:
        pass

    def note_url(self, url: str, checksum: Digest) -> None:
        pass

    def note_commit(self, remote: str, ref: str, commit: GitCommit) -> None:
        pass
