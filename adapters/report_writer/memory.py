"""Reports for tests."""

from typing import BinaryIO

from img.application.ports.report_writer import ReportWriter
from img.domain.report.build_report import BuildReport


class MemoryReports(ReportWriter):
    """A list of reports; the output gets no more than their names."""

    def __init__(self) -> None:
        self.reports: list[BuildReport] = []

    def write(self, report: BuildReport, output: BinaryIO) -> None:
        self.reports.append(report)
        output.write(f"{report.id} {report.name}\n".encode("utf-8", "replace"))
