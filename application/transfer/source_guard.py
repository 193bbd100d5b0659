"""Checks of the sources of a build, where their names are looked up.

Each place that turns the name of an image, a URL or a git ref into content asks its guard first, as
it does its pins (docs/adr/0066-policies.md).
"""

from abc import abstractmethod
from typing import Protocol

from img.application.transfer.pins import Pins
from img.domain.digest import Digest
from img.domain.graph.operations import FetchGit, FetchUrl
from img.domain.reference import ImageReference


class SourceGuard(Protocol):
    """A judge of sources. All methods raise PolicyViolated; several threads may use it."""

    @abstractmethod
    def named_image(self, text: str, reference: ImageReference | None) -> ImageReference | None:
        """Return the image to use for ``reference``; None for an image without a name.

        ``text`` is its full name, an ID, or the place of a layout.
        """

    @abstractmethod
    def pinned_image(self, text: str, reference: ImageReference | None, pin: Digest | None) -> None:
        """Check a name, and the digest that a lock file has for it, before anything is fetched."""

    @abstractmethod
    def found_image(self, text: str, reference: ImageReference | None, manifest: Digest) -> None:
        """Check the signatures of the image with ``manifest``. Raises NotTrusted, RegistryError."""

    @abstractmethod
    def download(self, operation: FetchUrl, pins: Pins) -> FetchUrl:
        """Return the download to make; ``pins`` may have its checksum."""

    @abstractmethod
    def checkout(self, operation: FetchGit, pins: Pins) -> FetchGit:
        """Return the checkout to make; ``pins`` may have its commit."""

    @abstractmethod
    def local(self, name: str) -> None:
        """Check the use of local files: "context", "dockerfile", or the name of a context."""


class NoGuard(SourceGuard):
    """All sources are allowed."""

    def named_image(self, text: str, reference: ImageReference | None) -> ImageReference | None:
        return reference

    def pinned_image(self, text: str, reference: ImageReference | None, pin: Digest | None) -> None:
        pass

    def found_image(self, text: str, reference: ImageReference | None, manifest: Digest) -> None:
        pass

    def download(self, operation: FetchUrl, pins: Pins) -> FetchUrl:
        return operation

    def checkout(self, operation: FetchGit, pins: Pins) -> FetchGit:
        return operation

    def local(self, name: str) -> None:
        pass
