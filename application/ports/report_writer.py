"""Formats of reports on builds."""

from abc import abstractmethod
from typing import BinaryIO, Protocol

from img.domain.report.build_report import BuildReport


class ReportWriter(Protocol):
    """A format of reports."""

    @abstractmethod
    def write(self, report: BuildReport, output: BinaryIO) -> None:
        """Write ``report`` to ``output``, which may be a pipe and is not closed.

        Equal reports give equal bytes. Errors of ``output`` are raised unchanged.
        """
