"""Base classes of the steps of a build, one step for each vertex with solved inputs."""

from abc import ABC, abstractmethod

from img.application.solver.progress import StepProgress
from img.application.solver.results import Result
from img.domain.digest import Digest
from img.domain.oci.chain import Layer


class Step(ABC):
    """An operation that adds a layer to its first input; the cache may have the layer."""

    def quick_key(self) -> Digest | None:
        """Return an alias of the definition key that is computed without reading files.

        It changes whenever the definition key does, and may change without it. None if the
        definition key needs no files either, or if there is no alias.
        """
        return None

    def reads_much(self) -> bool:
        """Return whether reading the files for the keys costs as much as packing them.

        Then the step is run before its keys are computed. Raises BuildError.
        """
        return False

    def key_reads_layers(self) -> bool:
        """Return whether the content key depends on files in the layers of the inputs."""
        return True

    @abstractmethod
    def definition_key(self) -> Digest:
        """Return the key of the operation and of what its inputs were made from.

        Raises BuildError.
        """

    @abstractmethod
    def content_key(self) -> Digest:
        """Return the key of the operation and of the contents that it reads. Raises BuildError."""

    @abstractmethod
    def run(self, progress: StepProgress) -> Layer:
        """Do the work and return the layer. Raises BuildError, StepCanceled, StateError."""


class SourceStep(ABC):
    """An operation without inputs that brings files from outside of the build."""

    def known(self) -> Result | None:
        """Return the result if it is known without a transfer, None if not."""
        return None

    @abstractmethod
    def solve(self, progress: StepProgress) -> Result:
        """Return the files. Raises BuildError, RegistryError, StepCanceled, StateError."""
