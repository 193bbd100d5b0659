"""A vertex of a build graph whose inputs are solved, ready to be looked up or run."""

from abc import ABC, abstractmethod

from img.application.solver.progress import StepProgress
from img.application.solver.results import Result
from img.domain.digest import Digest
from img.domain.oci.chain import Layer


class Step(ABC):
    """An operation that adds a layer to its first input, which may be found in the cache."""

    def quick_key(self) -> Digest | None:
        """Return an alias of the definition key that takes no reading of files to compute.

        It changes with the definition key, and may change without it. None: the definition key
        is as quick, or there is no such alias.
        """
        return None

    def reads_much(self) -> bool:
        """Return whether reading the files for the keys costs as much as packing them.

        Then the step is run first, and its keys are asked for afterwards. Raises BuildError.
        """
        return False

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
